"""The mean signed difference of table 1 from the paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import fmean

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.page.figures import Figure, figures_of
from negsamp_models.reproduction.page.grid_tables import MISSING
from negsamp_models.reproduction.page.noise import SeedNoise
from negsamp_models.reproduction.page.rankings import rankings

__all__ = ["gaps"]


def gaps(grid: Grid, results: Mapping[str, RunResult], noise: SeedNoise) -> Iterator[str]:
    """Yield the mean difference of each row of table 1 from the paper, and GenNi's gain in both."""
    cells = {
        (cell.row, name): figures_of(grid, cell, results, noise, masked)
        for cell in grid.cells
        for name, masked in rankings(cell.dataset, results)
    }
    found = {place: gap for place, figures in cells.items() if (gap := _gap(figures))}
    rows = [row for row in grid.rows if any(place[0] == row for place in found)]
    names = list(dict.fromkeys(name for _, name in cells if any(name == n for _, n in found)))
    if not found:
        return
    yield f"| {' | '.join(['ours relative to the paper, %', *names])} |"
    yield f"| --- |{' ---: |' * len(names)}"
    for row in rows:
        yield f"| {' | '.join([row, *(found.get((row, name), MISSING) for name in names)])} |"
    yield ""
    for name in names:
        one, other = (cells[row, name]["HR@5"] for row in ("GenNi_SA", "SASRec"))
        if one.mean and other.mean and one.theirs and other.theirs:
            ours, theirs = _gain(one.mean, other.mean), _gain(one.theirs.mean, other.theirs.mean)
            gains = f"gains {ours} over SASRec in HR@5; in the paper {theirs}"
            yield f"- {name}: GenNi_SA {gains}"


def _gain(one: float, other: float) -> str:
    return f"{one - other:+.2f} ({100 * (one / other - 1):+.0f} %)"


def _gap(figures: Mapping[str, Figure]) -> str:
    """Return the mean difference of figures from the paper's in percent; "" without any."""
    parts = [
        100 * (figure.mean / figure.theirs.mean - 1)
        for figure in figures.values()
        if figure.mean is not None and figure.theirs is not None
    ]
    return f"{fmean(parts):+.1f}" if parts else ""
