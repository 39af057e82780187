"""The metrics of a run that a grid may name."""

from __future__ import annotations

import numpy as np

from negsamp_models.evaluation import CUTOFFS
from negsamp_models.records import RunResult

__all__ = [
    "EPOCHS",
    "METRICS",
    "PASSES",
    "SECONDS",
    "VALIDATION",
    "passes",
    "seconds_per_epoch",
    "value_of",
]

VALIDATION = "validation "
EPOCHS = "best epoch"
"""The epoch, counted from 1, whose weights were kept: how long a run improves."""
PASSES = "passes"
"""How often a whole catalogue was scored for the negatives until then: the sum of beta."""
SECONDS = "s/epoch"
"""Seconds of an epoch without validation, undisturbed by other work."""

_OF_RANKS = tuple(f"{name}@{cutoff}" for name in ("HR", "NDCG") for cutoff in CUTOFFS)
METRICS = (*_OF_RANKS, *(f"{VALIDATION}{name}" for name in _OF_RANKS), EPOCHS, PASSES, SECONDS)


def value_of(run: RunResult, metric: str, masked: bool = True) -> float:
    """Return a metric of a run; test metrics are with seen items masked, or ranked too."""
    if metric == SECONDS:
        return seconds_per_epoch(run)
    if metric == EPOCHS:
        return run.best_epoch + 1
    if metric == PASSES:
        return passes(run)
    if metric.startswith(VALIDATION):
        return run.validation[metric.removeprefix(VALIDATION)]
    return (run.test if masked else run.test_unmasked)[metric]


def passes(run: RunResult) -> float:
    """Return how often a whole catalogue was scored until the best epoch; 0 without scores."""
    return sum(record.beta or 0.0 for record in run.epochs[: run.best_epoch + 1])


def seconds_per_epoch(run: RunResult, percent: float = 10) -> float:
    """Return a percentile of the seconds per epoch, without validation.

    Other work on the machine makes epochs slower, never faster, and may last for most of a run, so
    that a low percentile is undisturbed.
    """
    return float(np.percentile([record.training_seconds for record in run.epochs], percent))
