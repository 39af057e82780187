"""Plots of grids: a metric by row or over a sweep, or validation over training time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from negsamp_models.files.pictures import save_picture
from negsamp_models.law.picture import draw_law
from negsamp_models.records import CHOSEN_BY, RunResult
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.metrics import (
    EPOCHS,
    PASSES,
    SECONDS,
    VALIDATION,
    seconds_per_epoch,
)
from negsamp_models.reproduction.page.figures import figures_of, laws_of
from negsamp_models.reproduction.page.noise import SeedNoise
from negsamp_models.reproduction.page.rankings import rankings
from negsamp_models.reproduction.page.seconds import are_timed_alike, timed_run
from negsamp_models.reproduction.page.table_panels import draw_table, is_drawn_as_table
from negsamp_models.reproduction.seeds import with_all_seeds

__all__ = ["draw"]


def draw(grid: Grid, results: Mapping[str, RunResult], path: Path) -> bool:
    """Plot a grid, one panel per data set; for a table, also per way to rank test items.

    Points are means over all seeds on file, with error bars of one standard error; for a single
    seed that is the deviation over seeds, estimated from all configurations.

    Parameters
    ----------
    grid : Grid
        Any grid; sweeps, curves, laws, and tables of the paper are plotted.
    results : mapping
        By key.
    path : Path
        PNG or SVG, by its suffix; written completely or not at all.

    Returns
    -------
    bool
        False, with nothing written, if there is nothing to plot or only one point.
    """
    (grid,) = with_all_seeds([grid], results)
    for cell in grid.cells:
        for seed, study in laws_of(cell, results).items():
            draw_law(study, path, f"User {study.user} of {cell.dataset}, {cell.row}, seed {seed}")
            return True
    is_table = is_drawn_as_table(grid)
    if grid.choose or not (_has_scale(grid.sweep) or grid.curves or is_table):
        return False
    from matplotlib.figure import Figure  # noqa: PLC0415  (heavy, and for pictures alone)

    shown = _panels(grid, results)
    if not shown:
        return False
    noise = SeedNoise.of(results.values())
    num_columns = min(len(shown), 2)
    num_rows = -(-len(shown) // num_columns)
    size = (5.5 * num_columns, (3 if is_table else 4) * num_rows)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(num_rows, num_columns, squeeze=False)
    for axes in panels.flat[len(shown) :]:
        axes.remove()
    for axes, (dataset, title, masked) in zip(panels.flat, shown, strict=False):
        axes.set_prop_cycle(color=_COLOURS)
        if grid.curves:
            _draw_curves(axes, grid, dataset, results)
        elif is_table:
            draw_table(axes, grid, dataset, results, noise, masked)
        else:
            _draw_sweep(axes, grid, dataset, results, noise)
        axes.set_title(title)
        axes.grid(alpha=0.3)
    lines = {
        label: line
        for axes in figure.axes
        for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    order = [label for row in grid.rows for label in (row, f"{row}, paper")]
    labels = sorted(lines, key=lambda label: order.index(label) if label in order else 0)
    handles = [lines[label] for label in labels]
    figure.legend(handles, labels, loc="outside lower center", ncols=2 * num_columns)
    whose = "ours " if is_table and grid.part == "paper" else ""
    marks = f"bars: one standard error, {whose}from the pooled seed noise"
    if grid.curves:
        marks = f"first seed; dots: the best epoch, by validation {CHOSEN_BY}"
    figure.suptitle(f"{grid.title}\n{marks}")
    save_picture(figure, path, dpi=120)
    return True


def _with_unit(metric: str) -> str:
    """Return a metric with its unit, as the label of an axis."""
    if metric in (EPOCHS, PASSES, SECONDS):
        return metric
    return f"{metric if metric.startswith(VALIDATION) else f'test {metric}'}, percent"


def _has_scale(sweep: tuple[str, list[Any]] | None) -> bool:
    """Whether there is a sweep, over numbers."""
    return sweep is not None and all(isinstance(value, int | float) for value in sweep[1])


def _panels(grid: Grid, results: Mapping[str, RunResult]) -> list[tuple[str, str, bool]]:
    """Return, for each panel, data set, title, and whether seen items are masked."""
    metric = grid.metrics[0]
    known = [c for c in grid.cells if figures_of(grid, c, results)[metric].mean is not None]
    points = Counter((c.dataset, c.row if grid.sweep else "") for c in known)
    several = {dataset for (dataset, _), number in points.items() if number > 1}
    shown = [dataset for dataset in grid.datasets if dataset in several]
    if not is_drawn_as_table(grid):
        return [(dataset, *rankings(dataset, results)[0]) for dataset in shown]
    return [(dataset, *ranking) for dataset in shown for ranking in rankings(dataset, results)]


def _draw_sweep(
    axes: Any, grid: Grid, dataset: str, results: Mapping[str, RunResult], noise: SeedNoise
) -> None:
    """Draw one line per row, shifted so that none hides another; the paper's lines are dashed."""
    values = [] if grid.sweep is None else grid.sweep[1]
    metric = "NDCG@5" if "NDCG@5" in grid.metrics else grid.metrics[0]
    is_log = min(values) > 0 and max(values) / min(values) >= 16
    for place, row in enumerate(grid.rows):
        cells = grid.cells_on(dataset, row)
        figures = [figures_of(grid, cell, results, noise)[metric] for cell in cells]
        known = [(v, f) for v, f in zip(values, figures, strict=True) if f.mean is not None]
        offset = _OFFSET * (place - (len(grid.rows) - 1) / 2)
        line = axes.errorbar(
            [_shifted(value, offset, values, is_log) for value, _ in known],
            [figure.mean for _, figure in known],
            yerr=[figure.error for _, figure in known],
            marker="o",
            capsize=3,
            label=row,
        )
        theirs = [(v, f.theirs.mean) for v, f in zip(values, figures, strict=True) if f.theirs]
        if theirs:
            style = {"color": line[0].get_color(), "linestyle": "--", "alpha": 0.6}
            axes.plot(*zip(*theirs, strict=True), label=f"{row}, paper", **style)
    if is_log:
        axes.set_xscale("log")
    axes.set_xticks(values, [f"{value:g}" for value in values])
    axes.minorticks_off()
    swept = f"initial {grid.swept}" if grid.sweeps_starts else grid.swept
    axes.set(xlabel=swept, ylabel=_with_unit(metric))
    ends = (
        _shifted(end, side, values, is_log)
        for end, side in ((min(values), -0.05), (max(values), 0.05))
    )
    axes.set_xlim(*ends)  # the whole sweep, including points not run


_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Colours that can also be told apart by the colour-blind (Okabe and Ito)."""

_OFFSET = 0.02
"""Horizontal distance between rows, as a fraction of the sweep's width, to keep all visible."""


def _shifted(value: float, offset: float, values: list[float], is_log: bool) -> float:
    """Shift a value of a sweep by a fraction of the sweep's width."""
    if is_log:
        return value * math.exp(offset * math.log(max(values) / min(values)))
    return value + offset * (max(values) - min(values))


def _draw_curves(axes: Any, grid: Grid, dataset: str, results: Mapping[str, RunResult]) -> None:
    """Draw validation over training time, or over epochs if times are not comparable."""
    metric = _curve_of(grid)
    cells = grid.cells_on(dataset)
    timed = are_timed_alike(cells, results)
    for cell in cells:
        if (run := timed_run(cell, results)) is None:
            continue
        each = seconds_per_epoch(run) if timed else 1
        places = [each * (record.epoch + 1) for record in run.epochs]
        values = [record.validation[metric] for record in run.epochs]
        line = axes.plot(places, values, label=cell.row)[0]
        axes.plot(places[run.best_epoch], values[run.best_epoch], "o", color=line.get_color())
    axes.set(
        xlabel="training time, seconds (epochs times their 10th percentile)"
        if timed
        else "epochs (not timed by one version of the code on one device)",
        ylabel=f"validation {metric}, percent",
    )
    axes.set_ylim(bottom=0)


def _curve_of(grid: Grid) -> str:
    """Return the first metric of a grid that each epoch has; by default the one that decides."""
    names = (metric.removeprefix(VALIDATION) for metric in grid.metrics)
    return next((name for name in names if name not in (EPOCHS, PASSES, SECONDS)), CHOSEN_BY)
