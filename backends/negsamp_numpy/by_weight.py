"""Draws in proportion to fixed weights: Uniform and Popularity.

The inverse of the CDF over the admissible positions, in exact integers and with no rejection. Let
C[p] be the sum of the weights before position p. A draw takes a uniform integer t below the
admissible weight of its row. For each excluded position e, in ascending order, that has an
admissible weight of at most t before it, the weight of e is added to t. The draw is then the
position p with C[p] <= t < C[p + 1].
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from negsamp import row_errors
from negsamp.stream import NEGATIVES, Stream, below
from negsamp_numpy.rows import Excluded, Integers, Rows

__all__ = ["draw"]


def draw(
    rows: Rows,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    cumulative: Integers | None,
) -> tuple[Integers, npt.NDArray[np.float64]]:
    """Return positions and log-probabilities, both of shape (rows, num_negatives).

    `cumulative` is C, or None where every weight is 1.
    """
    excluded, width = rows.excluded, rows.excluded.width
    rows.check_enough(excluded, num_negatives, replacement, width)
    high, low = stream.words(
        NEGATIVES, rows.numbers[:, None] * num_negatives + np.arange(num_negatives)
    )
    if replacement:
        left = admissible_weight(excluded, cumulative)
        _check_weight(rows, left, 0)
        drawn = pick(below(high, low, left[:, None]), excluded, cumulative)
    else:
        drawn = np.empty((len(rows), num_negatives), dtype=np.int64)
        for j in range(num_negatives):
            left = admissible_weight(excluded, cumulative)
            _check_weight(rows, left, j)
            integers = below(high[:, j], low[:, j], left)
            drawn[:, j] = pick(integers[:, None], excluded, cumulative)[:, 0]
            excluded = excluded.adding(drawn[:, j])
    total = admissible_weight(rows.excluded, cumulative)
    return drawn, np.log(_weight(drawn, cumulative)) - np.log(total)[:, None]


def admissible_weight(excluded: Excluded, cumulative: Integers | None) -> Integers:
    """Return the weight of all places of each row that are not excluded."""
    whole = excluded.width if cumulative is None else int(cumulative[-1])
    sums = _sums_before(_weight(excluded.places, cumulative))
    return whole - (sums[excluded.offsets[1:]] - sums[excluded.offsets[:-1]])


def pick(integers: Integers, excluded: Excluded, cumulative: Integers | None) -> Integers:
    """Return the position of each integer below its row's admissible weight.

    `integers` has shape (rows, draws). The number of excluded positions to skip is found by
    bisection, as the admissible weight before them never decreases.
    """
    sums = _sums_before(_weight(excluded.places, cumulative))
    row_start = sums[excluded.offsets[:-1]]
    before = excluded.places if cumulative is None else cumulative[excluded.places]
    admissible_before = before - (sums[:-1] - np.repeat(row_start, excluded.counts))
    first = np.broadcast_to(excluded.offsets[:-1, None], integers.shape)
    last = np.broadcast_to(excluded.offsets[1:, None], integers.shape)
    for _ in range(int(excluded.counts.max(initial=0)).bit_length()):
        middle = (first + last) // 2
        skip = (first < last) & (admissible_before[np.minimum(middle, len(before) - 1)] <= integers)
        first = np.where(skip, middle + 1, first)
        last = np.where(skip, last, middle)
    shifted = integers + (sums[first] - row_start[:, None])
    if cumulative is None:
        return shifted
    return np.searchsorted(cumulative, shifted, side="right") - 1


def _weight(places: Integers, cumulative: Integers | None) -> Integers:
    if cumulative is None:
        return np.ones_like(places)
    return cumulative[places + 1] - cumulative[places]


def _sums_before(values: Integers) -> Integers:
    """Return the exclusive prefix sums; they may wrap modulo 2**64, but differences are exact."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(values)])


def _check_weight(rows: Rows, weight: Integers, drawn: int) -> None:
    if (weight <= 0).any():
        row = int((weight <= 0).argmax())
        raise row_errors.no_weight(int(rows.numbers[row]), rows.shape, drawn)
