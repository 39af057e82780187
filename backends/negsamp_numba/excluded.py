"""What a row excludes while its weights are drawn from: two ascending lists, never merged.

The first is the list of the row's user, and lies in the interactions. The second holds what the row
excludes besides, and what it has drawn where nothing may repeat; each of its places knows how much
of the first list lies before it. Excluded places are stepped over in the order of both together:
how many of the second list are, is found first, and it bounds the search in the first.

Arrays are passed one by one: taken from a tuple, each would count one more reference at every draw.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from negsamp_numba.compiling import part
from negsamp_numba.search import first_above
from negsamp_numba.weights import Integers, weight_before

__all__ = ["add_up", "first_beyond", "insert", "list_besides", "weight_until"]


@part()
def list_besides(
    own: Integers,
    row: int,
    item_ids: npt.NDArray[np.integer[Any]],
    start: int,
    begin: int,
    end: int,
    places: Integers,
    indices: Integers,
) -> int:
    """Take what is in line `row` of `own` and not in the user's list; return how many these are.

    `places` gets positions, ascending; `indices` where each would stand in the user's list.
    """
    count, previous = 0, -1
    for column in range(own.shape[1]):
        place = own[row, column]
        if place <= previous:
            continue
        previous = place
        index = first_above(item_ids, begin, end, place + start - 1)
        if index == end or item_ids[index] != place + start:
            places[count], indices[count] = place, index
            count += 1
    return count


@part()
def insert(
    places: Integers, indices: Integers, count: int, at: int, place: int, index: int
) -> None:
    """Put a place before the `at`-th of `count`."""
    for j in range(count, at, -1):
        places[j], indices[j] = places[j - 1], indices[j - 1]
    places[at], indices[at] = place, index


@part()
def add_up(
    places: Integers,
    indices: Integers,
    first: int,
    count: int,
    cumulative: Integers | None,
    until: Integers | None,
    begin: int,
    sums: Integers,
    before: Integers,
) -> None:
    """Fill in, from the `first` place on, what it takes to step over the places.

    `sums` gets the weight of the places before each, and after the last of all; `before` the
    admissible weight before each.
    """
    for j in range(first, count):
        weight = weight_before(cumulative, places[j] + 1) - weight_before(cumulative, places[j])
        excluded = sums[j] + weight_until(until, begin, indices[j])
        before[j] = weight_before(cumulative, places[j]) - excluded
        sums[j + 1] = sums[j] + weight


@part()
def weight_until(until: Integers | None, begin: int, index: int) -> int:
    """Return the weight of the items before `index` of the user's list that begins at `begin`."""
    if until is None:
        return index - begin
    return until[index - 1] if index > begin else 0


@part()
def first_beyond(
    before: Integers | None,
    item_ids: npt.NDArray[np.integer[Any]],
    start: int,
    begin: int,
    first: int,
    last: int,
    integer: int,
) -> int:
    """Return the first index in [first, last) of the list before which more than `integer` lies.

    What counts is the weight before the item that is not in the user's list.
    """
    if before is None:
        return first_above(item_ids, first, last, integer + start - begin, 1)
    return first_above(before, first, last, integer)
