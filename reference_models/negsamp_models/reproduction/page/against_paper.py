"""Count our figures inside, above and below the paper's range, and list those outside of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Cell, Grid
from negsamp_models.reproduction.metrics import SECONDS
from negsamp_models.reproduction.page.figures import Figure, figures_of
from negsamp_models.reproduction.page.noise import SeedNoise
from negsamp_models.reproduction.page.rankings import rankings
from negsamp_models.wording import plural, short

__all__ = ["against_the_paper", "short_title"]


def against_the_paper(
    grids: Sequence[Grid], results: Mapping[str, RunResult], noise: SeedNoise
) -> tuple[dict[str, Counter[str]], dict[str, list[str]]]:
    """Count the paper's figures by table and verdict, and list those above and below.

    A metric of a configuration counts once, for the first table that shows it, unless the paper
    prints different figures for it. Test items are ranked with seen items masked.
    """
    counts: dict[str, Counter[str]] = {}
    lines: dict[str, list[str]] = {"above": [], "below": []}
    cells = [(grid, cell) for grid in grids if grid.part == "paper" for cell in grid.cells]
    shown: dict[tuple[str, str, float], tuple[int, Figure]] = {}
    for place, (grid, cell) in enumerate(cells):
        choice = cell.chosen(results)
        for metric, figure in figures_of(grid, cell, results, noise).items():
            if choice is None or metric == SECONDS or figure.verdict is None or not figure.theirs:
                continue
            known = choice.runs[0].key, metric, figure.theirs.mean
            shown.setdefault(known, (place, figure))
    for place, (grid, cell) in enumerate(cells):
        figures = {key[1]: figure for key, (where, figure) in shown.items() if where == place}
        for figure in figures.values():
            counts.setdefault(short_title(grid), Counter())[figure.verdict or ""] += 1
        for verdict, listed in lines.items():
            parts = [
                f"{metric} {figure.mean:.2f} ({figure.theirs.mean:.2f})"
                for metric, figure in figures.items()
                if figure.verdict == verdict and figure.mean is not None and figure.theirs
            ]
            if parts:
                seeds = plural(next(iter(figures.values())).num_seeds, "seed")
                ranking, _ = rankings(cell.dataset, results)[0]
                name = f"{short_title(grid)}, {ranking}, {cell.row}{_point(grid, cell)}"
                listed.append(f"- {name}, {seeds}: {', '.join(parts)}")
    return counts, lines


def _point(grid: Grid, cell: Cell) -> str:
    if grid.sweep is None or cell.point is None:
        return ""
    return f" at {grid.swept} {short(grid.sweep[1][cell.point])}"


def short_title(grid: Grid) -> str:
    """Return the name of the table or figure from the title of a grid."""
    return grid.title.partition(":")[0]
