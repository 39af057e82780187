"""What a row excludes while its weights are drawn from: two ascending lists, never merged.

The first is the list of the row's user, and lies in the interactions. The second holds what the row
excludes besides, and what it has drawn where nothing may repeat; each of its places knows how much
of the first list lies before it. Excluded places are stepped over in the order of both together:
how many of the second list are, is found by bisection, and it bounds the bisection of the first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from negsamp_numba.compiling import part
from negsamp_numba.rows import Integers, Lists, bisect_ids
from negsamp_numba.weights import (
    Weights,
    admissible_before,
    position_of,
    weight_before,
    weight_of_first,
)

__all__ = ["Besides", "find", "insert", "list_besides", "room_for"]


class Besides(NamedTuple):
    """The second list, ascending: arrays with room for more.

    Attributes
    ----------
    places : int64
        Excluded positions, none of which is in the first list.
    indices : int64
        Index in the interactions of the first of the user's items after each.
    sums : int64
        Weight of the places before each, and after the last of all.
    before : int64
        Admissible weight before each place.
    """

    places: Integers
    indices: Integers
    sums: Integers
    before: Integers


@part()
def room_for(count: int) -> Besides:
    """Return arrays for `count` places."""
    return Besides(
        np.empty(count, np.int64),
        np.empty(count, np.int64),
        np.zeros(count + 1, np.int64),
        np.empty(count, np.int64),
    )


@part()
def list_besides(
    own: Integers,
    row: int,
    lists: Lists,
    weights: Weights | None,
    begin: int,
    end: int,
    besides: Besides,
) -> int:
    """Take what is in line `row` of `own` and not in the user's list; return how many these are."""
    count, previous = 0, -1
    for column in range(own.shape[1]):
        place = own[row, column]
        if place <= previous:
            continue
        previous = place
        index = bisect_ids(lists.item_ids, begin, end, place + lists.start)
        if index == end or lists.item_ids[index] != place + lists.start:
            besides.places[count], besides.indices[count] = place, index
            count += 1
    _add_up(lists, weights, begin, besides, 0, count)
    return count


@part()
def insert(
    lists: Lists,
    weights: Weights | None,
    begin: int,
    besides: Besides,
    count: int,
    at: int,
    place: int,
    index: int,
) -> None:
    """Put a place before the `at`-th of `count`."""
    for j in range(count, at, -1):
        besides.places[j], besides.indices[j] = besides.places[j - 1], besides.indices[j - 1]
    besides.places[at], besides.indices[at] = place, index
    _add_up(lists, weights, begin, besides, at, count + 1)


@part()
def _add_up(
    lists: Lists, weights: Weights | None, begin: int, besides: Besides, first: int, count: int
) -> None:
    for j in range(first, count):
        place, excluded = besides.places[j], besides.sums[j]
        weight = weight_before(weights, place + 1) - weight_before(weights, place)
        of_user = weight_of_first(lists, weights, begin, besides.indices[j])
        besides.before[j] = weight_before(weights, place) - of_user - excluded
        besides.sums[j + 1] = excluded + weight


@part()
def find(
    integer: int,
    lists: Lists,
    weights: Weights | None,
    begin: int,
    end: int,
    besides: Besides,
    count: int,
) -> tuple[int, int, int]:
    """Step over what is excluded: return the position that holds an admissible integer.

    Also how many places of the second list lie before it, and the index of the first of the
    user's items that does not.
    """
    at, left = 0, count
    while left > 0:
        half = (left + 1) >> 1
        at += half if besides.before[at + half - 1] <= integer else 0
        left -= half
    integer += besides.sums[at]
    index = besides.indices[at - 1] if at > 0 else begin
    left = (besides.indices[at] if at < count else end) - index
    while left > 0:
        half = (left + 1) >> 1
        before = admissible_before(lists, weights, begin, index + half - 1)
        index += half if before <= integer else 0
        left -= half
    integer += weight_of_first(lists, weights, begin, index)
    return position_of(weights, integer), at, index
