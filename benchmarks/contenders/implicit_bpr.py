"""implicit's BPR, whose negatives are drawn inside its compiled training loop."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.problems import Problem
from benchmarks.work import Contender, NotMeasuredError, Work

__all__ = ["CONTENDERS"]

EPOCHS = 5
"""Epochs in one run."""


def prepare(problem: Problem) -> Work:
    """Prepare training epochs of its smallest model, one factor and a bias.

    A run of EPOCHS epochs over the log draws as many negatives as `calls` batches.
    """
    setting = problem.setting
    if setting.exclude != "interactions":
        raise NotMeasuredError("always checks negatives against all items of the user")
    bpr, sparse = import_module("implicit.cpu.bpr"), import_module("scipy.sparse")
    interactions = problem.interactions
    matrix = sparse.csr_matrix(
        (
            np.ones(interactions.num_interactions, dtype=np.float32),
            interactions.item_ids.astype(np.int32),
            interactions.offsets.astype(np.int32),
        ),
        shape=(interactions.num_users, problem.catalogue.stop),
    )
    model = bpr.BayesianPersonalizedRanking(
        factors=1,
        iterations=EPOCHS,
        verify_negative_samples=True,
        num_threads=int(os.environ["OMP_NUM_THREADS"]),
        random_state=0,
    )

    def run() -> Any:
        model.fit(matrix, show_progress=False)
        return model.item_factors

    draws = EPOCHS * interactions.num_interactions
    return Work(run, _wrong, calls=draws / (setting.rows * setting.num_negatives))


def _wrong(item_factors: Any) -> str | None:
    return None if np.isfinite(item_factors).all() else "trained to factors that are not finite"


CONTENDERS = (
    Contender(
        "implicit BPR",
        "peer",
        ("popularity",),
        prepare,
        "an upper bound, from training epochs with one factor, since it cannot draw alone; counts "
        "to the power 1; it skips pairs with a rejected negative, so that its ids are not checked",
    ),
)
