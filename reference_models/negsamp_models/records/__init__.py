"""Results of runs: what they hold, how to read them, and which run each belongs to."""

from __future__ import annotations

from negsamp_models.records.run import (
    CHOSEN_BY,
    EpochRecord,
    ResultError,
    RunResult,
    best_epoch,
    longest_wait,
)

__all__ = ["CHOSEN_BY", "EpochRecord", "ResultError", "RunResult", "best_epoch", "longest_wait"]
