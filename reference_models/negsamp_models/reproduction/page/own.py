"""The page of grids of one's own: their tables and pictures, without a paper to compare with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.page.common_settings import capped_line
from negsamp_models.reproduction.page.how_to_read import noise_lines
from negsamp_models.reproduction.page.noise import SeedNoise
from negsamp_models.reproduction.page.runs_on_file import missing_line, replaced_lines, runs_line
from negsamp_models.reproduction.page.section import section
from negsamp_models.reproduction.seeds import results_asked_for, with_all_seeds

__all__ = ["MARK", "own_page"]

MARK = "<!-- written by negsamp report -->"
"""The first line of such a page, by which it is known as one that may be replaced."""

_INTRODUCTION = f"""\
{MARK}

# Results

Metrics are in percent. Each test item is ranked over the whole catalogue, with the items of the
input masked and the weights of the best validation epoch; nothing is selected on test. Values are
means over all seeds on file, ± the standard deviation; - is not run yet. Where users return to
items, tables with these ranked too follow.
"""

_COMPARISONS = """\
Rows are compared by a t test at the 5 % level, on logarithms. It takes the deviation between seeds
from all configurations with several seeds, relative to the mean; where it is unknown, or seems
smaller with fewer than ten degrees of freedom, 3 % is assumed, and 40 % for epochs and passes. Such
an assumption is no evidence: run several seeds.
"""


def own_page(
    grids: Sequence[Grid],
    results: Mapping[str, RunResult],
    pictures: Mapping[str, str],
    replaced: Sequence[RunResult] = (),
) -> str:
    """Return the page in Markdown; the parameters are those of `page`."""
    results = results_asked_for(grids, results)
    noise = SeedNoise.of(results.values())
    lines = [_INTRODUCTION, runs_line(grids, results), *missing_line(grids, results)]
    lines += [*capped_line(results), *replaced_lines(results, replaced), ""]
    if any(grid.contrasts for grid in grids):
        lines += [_COMPARISONS, *noise_lines(noise), ""]
    for grid in with_all_seeds(grids, results):
        lines += section(grid, results, noise, pictures.get(grid.name), level=2)
    return "\n".join(lines).rstrip() + "\n"
