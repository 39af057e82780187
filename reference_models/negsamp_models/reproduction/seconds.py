"""What an epoch takes on a machine that is shared with other work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Cell

__all__ = ["DISTURBED", "are_timed_alike", "disturbance", "timed_run", "undisturbed_seconds"]

DISTURBED = 1.5
"""From this ratio of slow epochs to quick ones on, times are said to be disturbed."""


def undisturbed_seconds(run: RunResult) -> float:
    """Return the 10th percentile of the seconds of an epoch, validation not included.

    Other work on the machine makes epochs slower, never quicker, and may last for most of a run.
    """
    return _percentile(run, 10)


def disturbance(run: RunResult) -> float:
    """Return how many times as long as its quick epochs the slow ones took: the 90th percentile."""
    return _percentile(run, 90) / _percentile(run, 10)


def timed_run(cell: Cell, results: Mapping[str, RunResult]) -> RunResult | None:
    """Return the run whose times stand for a cell: that of the first seed on file."""
    return next(iter(cell.made(results)), None)


def are_timed_alike(cells: Iterable[Cell], results: Mapping[str, RunResult]) -> bool:
    """Whether the timed runs of cells, where made, had one version of the code and one device."""
    timed = [timed_run(cell, results) for cell in cells]
    made = [result.environment for result in timed if result is not None]
    told = {tuple(str(each.get(name)) for name in ("source", "device", "threads")) for each in made}
    return len(told) <= 1 and all("source" in each for each in made)


def _percentile(run: RunResult, percent: float) -> float:
    return float(np.percentile([record.training_seconds for record in run.epochs], percent))
