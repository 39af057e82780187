"""Exclusions of a row for draws by weight: two ascending lists that are never merged.

The first is the list of the row's user, stored in the interactions. The second holds the row's
other exclusions and, without replacement, what it has drawn; for each of its places it stores the
index into the first list where that place would be inserted. A draw must skip places in the order
of both lists together: a search in the short second list finds how many of its places are skipped,
and thereby bounds the search in the first.

Arrays are passed one by one, since each array taken from a tuple would be reference-counted in
every draw.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from negsamp_numba.compiling import part
from negsamp_numba.search import first_above
from negsamp_numba.weights import Integers, weight_before

__all__ = ["first_beyond", "insert", "list_unseen", "sum_weights", "weight_until"]


@part()
def list_unseen(
    own: Integers,
    row: int,
    item_ids: npt.NDArray[np.integer[Any]],
    start: int,
    begin: int,
    end: int,
    places: Integers,
    indices: Integers,
) -> int:
    """List what is in row `row` of `own` but not in the user's list, and return the number.

    `places` receives positions, ascending; `indices` where each would be inserted in the user's
    list.
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
    """Insert a place before the `at`-th of `count`."""
    for j in range(count, at, -1):
        places[j], indices[j] = places[j - 1], indices[j - 1]
    places[at], indices[at] = place, index


@part()
def sum_weights(
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
    """Compute, from the `first` place on, the prefix sums by which draws skip the places.

    `sums` receives the exclusive prefix sums of the weights of the places, the total last;
    `before` the admissible weight before each place.
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
    """Return the first index in [first, last) of the user's list that a draw does not skip.

    That is the first with a weight of more than `integer` before it, not counting the user's own
    items; `last` if there is none.
    """
    if before is None:
        return first_above(item_ids, first, last, integer + start - begin, 1)
    return first_above(before, first, last, integer)
