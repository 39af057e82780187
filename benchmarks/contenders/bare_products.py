"""References for draws by score: the bare product of queries and items, without a draw."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.checks import wrong_scores
from benchmarks.problems import Problem
from benchmarks.work import Contender, Work

__all__ = ["CONTENDERS", "PRODUCT"]

PRODUCT = "NumPy product, out reused"
LARGEST_OUT = 250_000_000
"""Largest number of scores in the output array; more are computed in slices of rows."""


def numpy_reused(problem: Problem) -> Work:
    """Multiply into a preallocated array whose pages have been touched."""
    table = problem.items[1 : 1 + problem.setting.num_candidates].T
    out = array_for(problem)

    def run() -> Any:
        for start in range(0, len(problem.queries), len(out)):
            queries = problem.queries[start : start + len(out)]
            last = np.matmul(queries, table, out=out[: len(queries)])
        return last

    return Work(run, partial(wrong_scores, problem))


def numpy_fresh(problem: Problem) -> Work:
    """Multiply into a new array each time."""
    table = problem.items[1 : 1 + problem.setting.num_candidates].T
    return Work(lambda: problem.queries @ table, partial(wrong_scores, problem))


def torch_reused(problem: Problem) -> Work:
    """Multiply with torch into a preallocated array whose pages have been touched."""
    queries = torch.from_numpy(problem.queries)
    table = torch.from_numpy(problem.items)[1 : 1 + problem.setting.num_candidates].T
    out = torch.from_numpy(array_for(problem))

    def run() -> Any:
        for start in range(0, len(queries), len(out)):
            part = queries[start : start + len(out)]
            last = torch.mm(part, table, out=out[: len(part)])
        return last

    return Work(run, partial(wrong_scores, problem))


def array_for(problem: Problem) -> npt.NDArray[np.float32]:
    """Return an array for the scores of as many rows as fit, with its pages touched."""
    columns = problem.setting.num_candidates
    rows = min(max(LARGEST_OUT // columns, 1), problem.setting.rows)
    return np.ones((rows, columns), dtype=np.float32)


CONTENDERS = (
    Contender(PRODUCT, "reference", ("genni",), numpy_reused, draws=False),
    Contender(
        "NumPy product, fresh", "reference", ("genni",), numpy_fresh, holds_scores=True, draws=False
    ),
    Contender("torch mm, out reused", "reference", ("genni",), torch_reused, draws=False),
)
