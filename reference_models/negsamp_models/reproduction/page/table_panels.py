"""Plots of tables: a metric of each row as a point, ours above the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.page.figures import figures_of
from negsamp_models.reproduction.page.noise import SeedNoise

__all__ = ["draw_table", "is_drawn_as_table"]

_OFFSET = 0.14
"""Vertical distance of our points above the middle of a row, and of the paper's below it."""

Point = tuple[int, float, float]


def is_drawn_as_table(grid: Grid) -> bool:
    """Whether a grid is a table, of the paper or one's own, whose first metric is of the test."""
    is_plain = grid.sweep is None and not grid.curves
    return (
        is_plain and grid.part in ("paper", "own") and grid.metrics[0].startswith(("HR@", "NDCG@"))
    )


def draw_table(
    axes: Any,
    grid: Grid,
    dataset: str,
    results: Mapping[str, RunResult],
    noise: SeedNoise,
    masked: bool,
) -> None:
    """Draw the first metric of a table on a data set, one line per row, with an axis from zero.

    Points are means with error bars of one standard error. A row without runs is marked "not run".
    """
    metric = grid.metrics[0]
    cells = grid.cells_on(dataset)
    figures = [figures_of(grid, cell, results, noise, masked)[metric] for cell in cells]
    paper = [figure.theirs for figure in figures]
    ours = [(row, f.mean, f.error) for row, f in enumerate(figures) if f.mean is not None]
    theirs = [(row, f.mean, f.error) for row, f in enumerate(paper) if f is not None]
    offset, label = (-_OFFSET, "ours") if theirs else (0.0, "mean over seeds")
    _draw_points(axes, ours, offset, fmt="o", color="#0072b2", label=label)
    _draw_points(axes, theirs, _OFFSET, fmt="D", color="0.35", mfc="white", label="paper")
    for row in set(range(len(cells))) - {row for row, *_ in ours}:
        style = {"color": "0.35", "style": "italic", "fontsize": "small", "va": "center"}
        axes.text(0.02, row, "not run", transform=axes.get_yaxis_transform(), **style)
    axes.set_yticks(range(len(cells)), [cell.row for cell in cells])
    axes.set_ylim(len(cells) - 0.5, -0.5)
    axes.margins(x=0.08)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"test {metric}, percent")


def _draw_points(axes: Any, points: list[Point], offset: float, **style: Any) -> None:
    if not points:
        return
    rows, means, errors = zip(*points, strict=True)
    places = [row + offset for row in rows]
    axes.errorbar(means, places, xerr=errors, capsize=3, markersize=5, **style)
