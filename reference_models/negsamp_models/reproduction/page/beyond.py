"""Tables of runs beyond the paper: validation chooses one row, and only its test is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Cell, Grid
from negsamp_models.reproduction.metrics import value_of
from negsamp_models.reproduction.page.figures import Figure, figures_of
from negsamp_models.reproduction.page.grid_tables import MISSING
from negsamp_models.reproduction.page.means import apart
from negsamp_models.reproduction.page.noise import SeedNoise
from negsamp_models.wording import plural

__all__ = ["beyond_tables"]

_SEEN = ("validation NDCG@10", "validation HR@5", "validation NDCG@5")
_MEDIAN = "s/epoch, median"  # not a low percentile: where beta grows, only early epochs are fast


def beyond_tables(grid: Grid, results: Mapping[str, RunResult], noise: SeedNoise) -> Iterator[str]:
    """Yield one table per data set: validation of all rows, and test of the chosen one."""
    for cell in grid.cells:
        chosen = cell.chosen(results)
        yield f"| {cell.dataset}, seed 0 | {' | '.join([*_SEEN, _MEDIAN])} |"
        yield f"| --- |{' ---: |' * (len(_SEEN) + 1)}"
        for choice in cell.choices:
            name = f"**{choice.label}**" if choice == chosen else choice.label
            yield f"| {name} | {' | '.join(_seen(results.get(choice.runs[0].key)))} |"
        yield ""
        yield from _test(grid, cell, results, noise)


def _seen(result: RunResult | None) -> list[str]:
    if result is None:
        return [MISSING] * (len(_SEEN) + 1)
    seen = [value_of(result, metric) for metric in _SEEN]
    return [f"{value:.2f}" for value in [*seen, result.seconds_per_epoch]]


def _test(
    grid: Grid, cell: Cell, results: Mapping[str, RunResult], noise: SeedNoise
) -> Iterator[str]:
    if (choice := cell.chosen(results)) is None:
        missing = len(cell.missing(results))
        yield (
            f"No row is selected yet: {plural(missing, 'run')} of {len(cell.choices)} missing. "
            "Test metrics are shown after the selection.\n"
        )
        return
    parts, figures = [], figures_of(grid, cell, results, noise)
    for metric, figure in figures.items():
        deviation = f" ± {figure.deviation:.2f}" if figure.num_seeds > 1 else ""
        text = f"{metric} {figure.mean:.2f}{deviation}"
        if (aim := grid.aim.get(metric)) is not None and figure.mean is not None:
            text += f" ({_against(aim, figure.mean, figure)})"
        parts.append(text)
    seeds = plural(next(iter(figures.values())).num_seeds, "seed")
    yield (f"Validation selected **{choice.label}**. Test metrics ({seeds}): {', '.join(parts)}.\n")


def _against(aim: float, mean: float, figure: Figure) -> str:
    """Say whether an aim is reached, and whether the difference exceeds the noise of seeds."""
    words = "reached" if mean >= aim else "missed"
    close = ", within seed noise" if apart(mean, aim, figure.variance) == "inside" else ""
    return f"aim {aim:g}: {words}{close}, standard error {figure.error:.2f}"
