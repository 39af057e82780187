"""Epochs that each row needs: to its own best, and to reach the best of the first row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from negsamp_models.records import CHOSEN_BY, RunResult
from negsamp_models.reproduction.grids import Cell, Grid

__all__ = ["convergence_lines"]


def convergence_lines(grid: Grid, dataset: str, results: Mapping[str, RunResult]) -> Iterator[str]:
    """Yield, for each row and seed, the epochs needed, beside those of the first row."""
    first, *others = (_by_seed(cell, results) for cell in grid.cells_on(dataset))
    lines = []
    for row, runs in zip(grid.rows[1:], others, strict=True):
        pairs = [(first[seed], runs[seed]) for seed in sorted(first.keys() & runs.keys())]
        if not pairs:
            continue
        best = ", ".join(
            f"{other.best_epoch + 1} against {one.best_epoch + 1}" for one, other in pairs
        )
        reached = ", ".join(_words(_epochs_until(other, one)) for one, other in pairs)
        lines.append(
            f"- {dataset}, {row} against {grid.rows[0]}, by seed: best epoch {best}; first to "
            f"reach the best validation {CHOSEN_BY} of {grid.rows[0]}: epoch {reached}."
        )
    if lines:
        yield from [*lines, ""]


def _by_seed(cell: Cell, results: Mapping[str, RunResult]) -> dict[int, RunResult]:
    return {int(run.settings["seed"]): run for run in cell.made(results)}


def _epochs_until(run: RunResult, baseline: RunResult) -> int | None:
    """Return the first epoch, counted from 1, at or above a baseline's best; None if none is."""
    reached = (
        record.epoch + 1
        for record in run.epochs
        if record.validation[CHOSEN_BY] >= baseline.validation[CHOSEN_BY]
    )
    return next(reached, None)


def _words(epoch: int | None) -> str:
    return "none" if epoch is None else str(epoch)
