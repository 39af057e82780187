"""Time per epoch on a machine that may be shared with other work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Cell
from negsamp_models.reproduction.metrics import seconds_per_epoch

__all__ = ["DISTURBED", "are_timed_alike", "disturbance", "timed_run"]

DISTURBED = 1.5
"""Ratio of slow to fast epochs (90th to 10th percentile) above which times count as disturbed."""


def disturbance(run: RunResult) -> float:
    """Return the ratio of slow to fast epochs: of the 90th to the 10th percentile."""
    return seconds_per_epoch(run, 90) / seconds_per_epoch(run, 10)


def timed_run(cell: Cell, results: Mapping[str, RunResult]) -> RunResult | None:
    """Return the run whose times are shown for a cell: the first seed with a result."""
    return next(iter(cell.made(results)), None)


def are_timed_alike(cells: Iterable[Cell], results: Mapping[str, RunResult]) -> bool:
    """Whether all timed runs of cells had the same version of the code, device and threads."""
    timed = [timed_run(cell, results) for cell in cells]
    made = [result.environment for result in timed if result is not None]
    found = {
        tuple(str(each.get(name)) for name in ("source", "device", "threads")) for each in made
    }
    return len(found) <= 1 and all("source" in each for each in made)
