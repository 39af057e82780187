"""The page that shows our figures beside the paper's, generated from result files alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.page.common_settings import common_settings
from negsamp_models.reproduction.page.noise import SeedNoise
from negsamp_models.reproduction.page.section import section
from negsamp_models.reproduction.page.summary import summary
from negsamp_models.reproduction.seeds import results_asked_for, with_all_seeds

__all__ = ["page"]


def page(
    grids: Sequence[Grid],
    results: Mapping[str, RunResult],
    pictures: Mapping[str, str],
    replaced: Sequence[RunResult] = (),
) -> str:
    """Return the page in Markdown.

    Parameters
    ----------
    grids : sequence of Grid
    results : mapping
        By key; runs that belong to no grid are ignored.
    pictures : mapping
        File names by name of the grid.
    replaced : sequence of RunResult
        Former results of runs that were repeated.
    """
    results = results_asked_for(grids, results)
    noise = SeedNoise.of(results.values())
    grids = with_all_seeds(grids, results)
    parts = {part: [grid for grid in grids if grid.part == part] for part in _HEADINGS}
    lines = [_INTRODUCTION, common_settings(), *summary(grids, results, noise, replaced)]
    for part, heading in _HEADINGS.items():
        if parts[part]:
            lines.append(heading)
        for grid in parts[part]:
            lines += section(grid, results, noise, pictures.get(grid.name))
    return "\n".join(lines).rstrip() + "\n"


_INTRODUCTION = """\
# The paper, reproduced

This page compares our results with those of Chen et al., "[Generating Negative Samples for
Sequential Recommendation](https://arxiv.org/abs/2208.03645)", table by table. `negsamp report`
generates it from the result files under `results/`: one per run, with its configuration, all
epochs, the software versions and the device. `negsamp reproduce` makes the missing runs.

Metrics are in percent. Each test item is ranked over the whole catalogue, with the items of the
input masked and the weights of the best validation epoch; nothing is selected on test. Values are
means over all seeds on file, ± the standard deviation. The paper's values are below ours, in
italics. Its figures print no values, so that figures 4 to 11 are compared by their claims alone.

| mark | our mean is |
| --- | --- |
| ● | inside the paper's range: the difference is within seed noise |
| ▲ | above that range |
| ▼ | below that range |
| - | not run yet |
| no mark | not comparable: the paper's value is missing, or the seeds are too few for a range |
| blank | not printed in the paper, or not legible |

The range covers 95 % of the differences that seeds alone would cause, by Welch's t test. The
standard error of a mean over n seeds is the standard deviation between seeds divided by the square
root of n; the paper uses four seeds. Where the paper prints no deviation, 3 % of its mean is
assumed. Few seeds estimate a deviation poorly, and one not at all, so ours is pooled over all
configurations with several seeds, relative to the mean: one deviation for GenNi, and one for
uniform negatives and popularity, which vary more, also in the paper. An estimate below 3 % with
fewer than ten degrees of freedom is taken to be 3 %; another with fewer than three gives no mark.
"""

_HEADINGS = {
    "paper": "## The paper's tables and figures\n",
    "open": """\
## What the paper leaves open

Decisions that the paper does not specify, each with the runs that bear on it. Validation decides,
so that its NDCG@10 comes first, with test metrics beside it.
""",
    "beyond": "## Beyond the paper\n",
}
