"""Pre-selection: uniform subsets of the catalogue (eq. 6), the same on every backend."""

from __future__ import annotations

import numpy as np

from negsamp.stream import CANDIDATES, Stream, below
from negsamp_numpy.rows import Integers

__all__ = ["one_for_all_rows", "one_for_each_row"]


def one_for_all_rows(stream: Stream, width: int, count: int) -> Integers:
    """Return `count` distinct places below `width`, ascending.

    Each place has a key of 63 random bits, and those with the smallest keys are selected; ties at
    the largest selected key go to the lowest places.
    """
    high, low = stream.words(CANDIDATES, np.arange(width))
    keys = high << 31 | low >> 1
    margin = np.partition(keys, count - 1)[count - 1]
    taken = keys < margin
    taken[np.flatnonzero(keys == margin)[: count - int(taken.sum())]] = True
    return np.flatnonzero(taken)


def one_for_each_row(stream: Stream, width: int, count: int, numbers: Integers) -> Integers:
    """Return `count` distinct places below `width` for each row, ascending, (rows, count).

    Floyd's algorithm: step m draws t in [0, width - steps + m] and selects t or, if t is selected
    already, the upper end of that range. Of the subset and its complement the smaller is drawn.
    """
    steps = min(count, width - count)
    row = np.arange(len(numbers))
    high, low = stream.words(CANDIDATES, numbers[:, None] * steps + np.arange(steps))
    taken = np.zeros((len(numbers), width), dtype=bool)
    for m in range(steps):
        largest = width - steps + m
        t = below(high[:, m], low[:, m], largest + 1)
        taken[row, np.where(taken[row, t], largest, t)] = True
    if steps != count:
        taken = ~taken
    return np.nonzero(taken)[1].reshape(len(numbers), count)
