"""Draws in proportion to fixed weights: the integers of the reference, in tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from negsamp import row_errors
from negsamp.stream import NEGATIVES, Stream, below
from negsamp_torch.rows import Excluded, Rows

__all__ = ["draw"]


def draw(
    rows: Rows,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    cumulative: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Return positions and log-probabilities, both of shape (rows, num_negatives).

    `cumulative` is the sum of the weights before each position, or None where every weight is 1.
    """
    excluded, device = rows.excluded, rows.numbers.device
    rows.check_enough(excluded, num_negatives, replacement, excluded.width)
    draws = rows.numbers[:, None] * num_negatives + torch.arange(num_negatives, device=device)
    high, low = stream.words(NEGATIVES, draws)
    if replacement:
        left = admissible_weight(excluded, cumulative)
        _check_weight(rows, left, 0)
        drawn = pick(below(high, low, left[:, None]), excluded, cumulative)
    else:
        drawn = torch.empty_like(draws)
        for j in range(num_negatives):
            left = admissible_weight(excluded, cumulative)
            _check_weight(rows, left, j)
            integers = below(high[:, j], low[:, j], left)
            drawn[:, j] = pick(integers[:, None], excluded, cumulative)[:, 0]
            excluded = excluded.adding(drawn[:, j])
    total = admissible_weight(rows.excluded, cumulative)
    return drawn, _weight(drawn, cumulative).double().log() - total.double().log()[:, None]


def admissible_weight(excluded: Excluded, cumulative: Tensor | None) -> Tensor:
    """Return the weight of all places of each row that are not excluded."""
    whole = excluded.width if cumulative is None else int(cumulative[-1])
    sums = _sums_before(_weight(excluded.places, cumulative))
    return whole - (sums[excluded.offsets[1:]] - sums[excluded.offsets[:-1]])


def pick(integers: Tensor, excluded: Excluded, cumulative: Tensor | None) -> Tensor:
    """Return the position of each integer below its row's admissible weight.

    `integers` has shape (rows, draws). The number of excluded positions to skip is found by
    bisection, as the admissible weight before them never decreases.
    """
    counts = excluded.counts
    sums = _sums_before(_weight(excluded.places, cumulative))
    row_start = sums[excluded.offsets[:-1]]
    before = excluded.places if cumulative is None else cumulative[excluded.places]
    admissible_before = before - (sums[:-1] - torch.repeat_interleave(row_start, counts))
    first = excluded.offsets[:-1, None].expand(integers.shape)
    last = excluded.offsets[1:, None].expand(integers.shape)
    longest = int(counts.max()) if len(counts) else 0
    for _ in range(longest.bit_length()):
        middle = (first + last) // 2
        skip = (first < last) & (admissible_before[middle.clamp(max=len(before) - 1)] <= integers)
        first = torch.where(skip, middle + 1, first)
        last = torch.where(skip, last, middle)
    shifted = integers + (sums[first] - row_start[:, None])
    if cumulative is None:
        return shifted
    return torch.searchsorted(cumulative, shifted, right=True) - 1


def _weight(places: Tensor, cumulative: Tensor | None) -> Tensor:
    if cumulative is None:
        return torch.ones_like(places)
    return cumulative[places + 1] - cumulative[places]


def _sums_before(values: Tensor) -> Tensor:
    """Return the exclusive prefix sums; they may wrap modulo 2**64, but differences are exact."""
    return torch.cat([values.new_zeros(1), values.cumsum(0)])


def _check_weight(rows: Rows, weight: Tensor, drawn: int) -> None:
    if bool((weight <= 0).any()):
        _, number = rows.number_of_first(weight <= 0)
        raise row_errors.no_weight(number, rows.shape, drawn)
