"""Draws in proportion to fixed weights, in the exact integers of the reference.

A draw takes a uniform integer below the admissible weight of its row and adds the weight of the
excluded items that it passes, with no rejection: O(log E + log V) for E exclusions and V items. See
``excluded.py`` for how the two lists of a row's exclusions are searched.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from negsamp import row_errors
from negsamp.stream import NEGATIVES, Stream
from negsamp_numba.compiling import kernel, part
from negsamp_numba.excluded import first_beyond, insert, list_unseen, sum_weights, weight_until
from negsamp_numba.philox import CounterBase, below, counter_base, words_of_draws
from negsamp_numba.prefetch import prefetch
from negsamp_numba.rows import Lists, Rows
from negsamp_numba.search import first_above
from negsamp_numba.threads import num_threads, share
from negsamp_numba.weights import Integers, Weights, position_of, weight_before

__all__ = ["draw"]

_DRAWS_PER_TASK = 8192
"""Draws that a thread takes at a time."""
_DRAWS_AT_ONCE = 512
"""Draws whose random words are computed in one vectorised batch."""
_FINE, _FEW, _NO_WEIGHT = 0, 1, 2


def draw(
    rows: Rows,
    stream: Stream,
    replacement: bool,
    weights: Weights,
    width: int,
    item_ids: Integers,
    log_q: npt.NDArray[np.float32],
) -> None:
    """Write the draws of all rows into (targets.size, num_negatives) `item_ids` and `log_q`."""
    words = counter_base(stream, NEGATIVES)
    rows_per_task = -(-_DRAWS_PER_TASK // item_ids.shape[1])

    def do(task: int) -> None:
        first = task * rows_per_task
        part = rows.part(first, first + rows_per_task)
        of_rows = part.numbers, part.own, part.users, part.lists
        row, problem, detail = _draw_rows(
            *of_rows, weights, width, words, replacement, item_ids, log_q
        )
        if problem == _NO_WEIGHT:
            raise row_errors.no_weight(int(part.numbers[row]), rows.shape, detail)
        if problem == _FEW:
            raise row_errors.few_negatives(
                int(part.numbers[row]),
                rows.shape,
                detail,
                item_ids.shape[1],
                width,
                preselected=False,
            )

    share(lambda: do, -(-len(rows) // rows_per_task), num_threads())


@kernel
def _draw_rows(
    numbers: Integers,
    own: Integers,
    users: Integers,
    lists: Lists,
    weights: Weights,
    width: int,
    words: CounterBase,
    replacement: bool,
    item_ids: Integers,
    log_q: npt.NDArray[np.float32],
) -> tuple[int, int, int]:
    """Draw for all rows, stopping at the first with an error: return it, its code and a detail."""
    num_negatives = item_ids.shape[1]
    needed = 1 if replacement else num_negatives
    seen, _, before_seen, until, start = lists
    cumulative, guide, shift = weights
    room = own.shape[1] + num_negatives
    places, indices = np.empty(room, np.int64), np.empty(room, np.int64)
    sums, before = np.zeros(room + 1, np.int64), np.empty(room, np.int64)
    high = np.empty(max(_DRAWS_AT_ONCE, num_negatives) + 2, np.uint64)
    low = np.empty_like(high)
    begins, ends = np.empty(_DRAWS_AT_ONCE, np.int64), np.empty(_DRAWS_AT_ONCE, np.int64)
    first = 0
    while first < len(numbers):
        stop = _end_of_run(numbers, first, first + max(_DRAWS_AT_ONCE // num_negatives, 1))
        num_draws = (stop - first) * num_negatives
        _locate_lists(lists, users[first:stop], begins, ends)
        word = words_of_draws(words, numbers[first] * num_negatives, num_draws, high, low)
        for row in range(first, stop):
            begin, end = begins[row - first], ends[row - first]
            count = list_unseen(own, row, seen, start, begin, end, places, indices)
            if width - (end - begin) - count < needed:
                return row, _FEW, width - (end - begin) - count
            sum_weights(places, indices, 0, count, cumulative, until, begin, sums, before)
            excluded = weight_until(until, begin, end) + sums[count]
            left = weight_before(cumulative, width) - excluded
            log_total = math.log(left) if left > 0 else 0.0
            number = numbers[row]
            for j in range(num_negatives):
                if left <= 0:
                    return row, _NO_WEIGHT, j
                integer = below(high[word], low[word], left)
                word += 1
                at = first_above(before, 0, count, integer)
                index = indices[at - 1] if at > 0 else begin
                last = indices[at] if at < count else end
                integer += sums[at]
                index = first_beyond(before_seen, seen, start, begin, index, last, integer)
                integer += weight_until(until, begin, index)
                place = position_of(cumulative, guide, shift, integer)
                weight = weight_before(cumulative, place + 1) - weight_before(cumulative, place)
                item_ids[number, j] = start + place
                log_q[number, j] = math.log(weight) - log_total
                if not replacement:
                    insert(places, indices, count, at, place, index)
                    count, left = count + 1, left - weight
                    sum_weights(places, indices, at, count, cumulative, until, begin, sums, before)
        first = stop
    return 0, _FINE, 0


@part()
def _locate_lists(lists: Lists, users: Integers, begins: Integers, ends: Integers) -> None:
    """Write where the lists of some users begin and end, and start to load them.

    The lists of random users are rarely in the cache, and a draw would wait for each in turn.
    """
    for index in range(len(users)):
        begins[index] = lists.offsets[users[index]]
        ends[index] = lists.offsets[users[index] + 1]
    for index in range(len(users)):
        for place in (begins[index], ends[index] - 1):
            prefetch(lists.item_ids, place)
            prefetch(lists.before, place)
            prefetch(lists.until, place)


@part()
def _end_of_run(numbers: Integers, first: int, limit: int) -> int:
    """Return the end of the longest run of consecutive numbers from `first`, up to `limit`."""
    stop = first + 1
    while stop < min(limit, len(numbers)) and numbers[stop] == numbers[stop - 1] + 1:
        stop += 1
    return stop
