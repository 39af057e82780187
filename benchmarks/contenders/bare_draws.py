"""References for draws by weight: NumPy's own generator, without exclusions."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.checks import wrong_draws
from benchmarks.problems import Problem
from benchmarks.work import Contender, Work

__all__ = ["CONTENDERS", "INTEGERS", "SEARCH"]

INTEGERS = "NumPy integers"
SEARCH = "NumPy random + searchsorted"


def integers(problem: Problem) -> Work:
    """Draw ids uniformly."""
    random = np.random.default_rng(0)
    shape = (problem.setting.rows, problem.setting.num_negatives)
    first, end = problem.catalogue.start, problem.catalogue.stop
    return Work(
        lambda: random.integers(first, end, size=shape),
        partial(wrong_draws, problem, excludes=False),
    )


def search(problem: Problem) -> Work:
    """Draw ids by popularity, by inversion of the cumulative weights."""
    random = np.random.default_rng(0)
    shape = (problem.setting.rows, problem.setting.num_negatives)
    cumulative = np.cumsum(problem.counts**0.75)

    def run() -> Any:
        return np.searchsorted(cumulative, random.random(shape) * cumulative[-1], side="right")

    return Work(run, partial(wrong_draws, problem, excludes=False))


NOTE = "excludes nothing, not even the target"
CONTENDERS = (
    Contender(INTEGERS, "reference", ("uniform",), integers, NOTE),
    Contender(SEARCH, "reference", ("popularity",), search, NOTE),
)
