"""The page that shows our figures beside the paper's, generated from result files alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.page.decisions import decisions
from negsamp_models.reproduction.page.how_to_read import how_to_read
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
    lines = [_INTRODUCTION, *summary(grids, results, noise, replaced), *how_to_read(noise)]
    for part, heading in _HEADINGS.items():
        if parts[part]:
            lines.append(heading)
            lines += decisions(parts[part], results, noise)
        for grid in parts[part]:
            lines += section(grid, results, noise, pictures.get(grid.name))
    return "\n".join(lines).rstrip() + "\n"


_INTRODUCTION = """\
# The paper, reproduced

This page compares our results with those of Chen et al., "[Generating Negative Samples for
Sequential Recommendation](https://arxiv.org/abs/2208.03645)", table by table. `negsamp report`
generates it from the result files under `results/`: one per run, with its configuration, all
epochs, the software versions and the device. `negsamp reproduce` makes the missing runs.

[How to read the tables](#how-to-read-the-tables) defines marks, ranges and tests. [What the paper
leaves open](#what-the-paper-leaves-open) lists the decisions that we had to make, and the evidence
for each.
"""

_HEADINGS = {
    "paper": "## The paper's tables and figures\n",
    "open": """\
## What the paper leaves open

Decisions that the paper does not specify, each with the runs that bear on it. Validation decides,
so that its NDCG@10 comes first, with test metrics beside it. Settings of the model that the paper
does not report are [above](#how-to-read-the-tables).
""",
    "beyond": "## Beyond the paper\n",
}
