"""The point of a sweep that is best on validation, and the range of its test metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from negsamp_models.records import CHOSEN_BY, RunResult
from negsamp_models.reproduction.grids import Cell, Grid
from negsamp_models.reproduction.page.figures import figures_of
from negsamp_models.wording import short

__all__ = ["best_point", "sweep_lines"]


def best_point(cells: Sequence[Cell], results: Mapping[str, RunResult]) -> Cell | None:
    """Return the cell with the best mean validation NDCG@10; None if none has a result."""
    known = [cell for cell in cells if _validation(cell, results) is not None]
    return max(known, key=lambda cell: _validation(cell, results) or 0.0, default=None)


def sweep_lines(grid: Grid, dataset: str, results: Mapping[str, RunResult]) -> Iterator[str]:
    """Yield, for each row with several points, its best one on validation and the test range."""
    metric = next((name for name in grid.metrics if name.startswith(("HR@", "NDCG@"))), None)
    if grid.sweep is None or metric is None:
        return
    lines = []
    for row in grid.rows:
        cells = grid.cells_on(dataset, row)
        best = best_point(cells, results)
        means = [figures_of(grid, cell, results)[metric].mean for cell in cells]
        known = [mean for mean in means if mean is not None]
        if best is None or best.point is None or len(known) < 2:
            continue
        at = f"{grid.swept} {short(grid.sweep[1][best.point])} ({_validation(best, results):.2f})"
        theirs = _paper_best(grid, dataset, cells, results)
        missing = "" if len(known) == len(cells) else f", over the {len(known)} points run"
        spans = f"from {min(known):.2f} to {max(known):.2f}"
        lines.append(
            f"- {row}: validation {CHOSEN_BY} is best at {at}{theirs}; test {metric} spans "
            f"{max(known) - min(known):.2f}, {spans}{missing}."
        )
    if lines:
        yield from [*lines, ""]


def _paper_best(
    grid: Grid, dataset: str, cells: Sequence[Cell], results: Mapping[str, RunResult]
) -> str:
    value = grid.paper_best.get(dataset)
    if value is None or grid.sweep is None:
        return ""
    (cell,) = [cell for cell in cells if grid.sweep[1].index(value) == cell.point]
    ours = _validation(cell, results)
    return f", the paper's best is {value:g} ({'not run' if ours is None else f'{ours:.2f}'})"


def _validation(cell: Cell, results: Mapping[str, RunResult]) -> float | None:
    runs = cell.made(results)
    return fmean(run.validation[CHOSEN_BY] for run in runs) if runs else None
