"""Check results of measured calls: the time of a wrong draw is not reported."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.problems import Problem

__all__ = ["wrong_draws", "wrong_scores"]

SCORE_TOLERANCE = 1e-3
"""Largest absolute error of a float32 score."""


def wrong_draws(problem: Problem, drawn: Any, excludes: bool = True) -> str | None:
    """Return what is wrong with drawn ids, or None.

    Parameters
    ----------
    problem : Problem
        The inputs of the draw.
    drawn : array of int, shape (rows, num_negatives)
        Item ids, in an array of any framework that NumPy can read.
    excludes : bool
        Whether excluded ids are wrong; False for a reference that excludes nothing.

    Returns
    -------
    str or None
    """
    item_ids = np.asarray(drawn.cpu() if hasattr(drawn, "cpu") else drawn)
    wanted = (problem.setting.rows, problem.setting.num_negatives)
    if item_ids.shape != wanted or item_ids.dtype.kind not in "iu":
        return f"drew {item_ids.dtype} of shape {item_ids.shape}, not integers of shape {wanted}"
    outside = (item_ids < problem.catalogue.start) | (item_ids >= problem.catalogue.stop)
    if outside.any():
        return f"drew id {item_ids[outside][0]}, outside {problem.catalogue}"
    if not excludes:
        return None
    rows, excluded = problem.excluded
    forbidden = rows * problem.catalogue.stop + excluded
    keys = np.arange(len(item_ids))[:, None] * problem.catalogue.stop + item_ids
    hit = np.isin(keys, forbidden)
    if hit.any():
        row = int(hit.any(axis=1).argmax())
        return f"drew id {item_ids[hit][0]}, which row {row} excludes"
    return None


def wrong_scores(problem: Problem, scores: Any, tolerance: float = SCORE_TOLERANCE) -> str | None:
    """Return what is wrong with the last row of a score matrix, or None."""
    last = np.asarray(scores)[-1]
    query = problem.queries[-1].astype(np.float64)
    items = problem.items[1 : 1 + len(last)]
    if len(last) != problem.setting.num_candidates:
        return f"scored {len(last)} items, not {problem.setting.num_candidates}"
    sampled = np.linspace(0, len(last) - 1, num=min(len(last), 1000)).astype(np.int64)
    difference = np.abs(last[sampled] - items[sampled] @ query).max()
    if not difference < tolerance:
        return f"a score is off by {difference:.3g}"
    return None
