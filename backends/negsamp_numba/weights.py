"""The weights of a catalogue, prepared for draws: sums of excluded ones and a guide to the rest.

C[p] is the sum of the weights before position p. In the functions here `weights` is None where
every weight is 1 and C[p] = p; the compiler then leaves the other branch out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from negsamp_numba.compiling import kernel, part
from negsamp_numba.rows import Integers, Lists

__all__ = [
    "Weights",
    "admissible_before",
    "position_of",
    "weigh",
    "weight_before",
    "weight_of_first",
]


class Weights(NamedTuple):
    """Integer weights of the items, as kernels read them.

    Attributes
    ----------
    cumulative : int64, shape (num_items + 1,)
        C.
    before : int64, shape (num_interactions,)
        For each interaction, C at its item, less the weight of the user's earlier items.
    guide : int32, shape (num_cells + 1,)
        The integers below the total are cut into cells of ``2**shift``: the position p with
        C[p] <= i < C[p + 1] of the first integer i of each cell. It narrows the search for a
        position and changes no draw.
    shift : int
        Logarithm of the size of a cell.
    """

    cumulative: Integers
    before: Integers
    guide: npt.NDArray[np.int32]
    shift: int


def weigh(cumulative: Integers | None, lists: Lists) -> Weights | None:
    """Prepare the weights whose sums are C, or return None where every weight is 1."""
    if cumulative is None:
        return None
    total, last = int(cumulative[-1]), len(cumulative) - 2
    shift = max(total.bit_length() - (2 * last).bit_length(), 0)
    firsts = np.arange((total >> shift) + 1) << shift
    guide = np.searchsorted(cumulative, firsts, side="right") - 1
    guide = np.append(guide, last).clip(max=last)
    return Weights(cumulative, _before(lists, cumulative), guide.astype(np.int32), shift)


@kernel
def _before(lists: Lists, cumulative: Integers) -> Integers:
    before = np.empty(len(lists.item_ids), np.int64)
    for user in range(len(lists.offsets) - 1):
        earlier = 0
        for index in range(lists.offsets[user], lists.offsets[user + 1]):
            position = lists.item_ids[index] - lists.start
            before[index] = cumulative[position] - earlier
            earlier += cumulative[position + 1] - cumulative[position]
    return before


@part()
def weight_before(weights: Weights | None, position: int) -> int:
    """Return C[position]."""
    if weights is None:
        return position
    return weights.cumulative[position]  # type: ignore[no-any-return]


@part()
def admissible_before(lists: Lists, weights: Weights | None, begin: int, index: int) -> int:
    """Return the weight before the item at `index` of the list that begins at `begin`.

    Without that of earlier items of the list.
    """
    if weights is None:
        return lists.item_ids[index] - lists.start - (index - begin)  # type: ignore[no-any-return]
    return weights.before[index]  # type: ignore[no-any-return]


@part()
def weight_of_first(lists: Lists, weights: Weights | None, begin: int, end: int) -> int:
    """Return the weight of the items from `begin` to `end` of the list that begins at `begin`."""
    if weights is None:
        return end - begin
    if end == begin:
        return 0
    position = lists.item_ids[end - 1] - lists.start
    return weights.cumulative[position + 1] - weights.before[end - 1]  # type: ignore[no-any-return]


@part()
def position_of(weights: Weights | None, integer: int) -> int:
    """Return the position p with C[p] <= integer < C[p + 1]."""
    if weights is None:
        return integer
    cell = integer >> weights.shift
    first, last = np.int64(weights.guide[cell]), np.int64(weights.guide[cell + 1])
    while first < last:
        middle = (first + last + 1) >> 1
        if weights.cumulative[middle] <= integer:
            first = middle
        else:
            last = middle - 1
    return int(first)
