"""Draws in proportion to fixed weights, in the exact integers of the reference.

A draw takes an integer below the admissible weight of its row, with no rejection, and steps over
what is excluded: O(log E + log V).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from negsamp import validation
from negsamp.stream import NEGATIVES, Stream
from negsamp_numba.compiling import kernel, part
from negsamp_numba.excluded import find, insert, list_besides, room_for
from negsamp_numba.philox import Place, below, place_of_words, words_of_draws
from negsamp_numba.rows import Integers, Lists, Rows
from negsamp_numba.threads import num_threads, share
from negsamp_numba.weights import Weights, weight_before, weight_of_first

__all__ = ["draw"]

_DRAWS_PER_TASK = 8192
_DRAWS_AT_ONCE = 512
_FINE, _FEW, _NO_WEIGHT = 0, 1, 2


def draw(
    rows: Rows,
    stream: Stream,
    replacement: bool,
    weights: Weights | None,
    width: int,
    item_ids: Integers,
    log_q: npt.NDArray[np.float32],
) -> None:
    """Write the draws of all rows to (targets.size, num_negatives) `item_ids` and `log_q`."""
    words = place_of_words(stream, NEGATIVES)
    rows_per_task = -(-_DRAWS_PER_TASK // item_ids.shape[1])

    def do(task: int) -> None:
        first = task * rows_per_task
        part = rows.part(first, first + rows_per_task)
        of_rows = part.numbers, part.own, part.users, part.lists
        row, problem, detail = _draw_rows(
            *of_rows, weights, width, words, replacement, item_ids, log_q
        )
        if problem == _NO_WEIGHT:
            raise validation.no_weight(int(part.numbers[row]), rows.shape, detail)
        if problem == _FEW:
            raise validation.few_negatives(
                int(part.numbers[row]), rows.shape, detail, item_ids.shape[1], width
            )

    share(lambda: do, -(-len(rows) // rows_per_task), num_threads())


@kernel
def _draw_rows(
    numbers: Integers,
    own: Integers,
    users: Integers,
    lists: Lists,
    weights: Weights | None,
    width: int,
    words: Place,
    replacement: bool,
    item_ids: Integers,
    log_q: npt.NDArray[np.float32],
) -> tuple[int, int, int]:
    """Draw for all rows, or up to the first that cannot: return it, its problem and a detail."""
    num_negatives = item_ids.shape[1]
    needed = 1 if replacement else num_negatives
    besides = room_for(own.shape[1] + num_negatives)
    room = max(_DRAWS_AT_ONCE, num_negatives) + 2
    high, low = np.empty(room, np.uint64), np.empty(room, np.uint64)
    first = 0
    while first < len(numbers):
        stop = _end_of_run(numbers, first, first + max(_DRAWS_AT_ONCE // num_negatives, 1))
        num_draws = (stop - first) * num_negatives
        word = words_of_draws(words, numbers[first] * num_negatives, num_draws, high, low)
        for row in range(first, stop):
            begin, end = lists.offsets[users[row]], lists.offsets[users[row] + 1]
            count = list_besides(own, row, lists, weights, begin, end, besides)
            if width - (end - begin) - count < needed:
                return row, _FEW, width - (end - begin) - count
            of_user = weight_of_first(lists, weights, begin, end)
            left = weight_before(weights, width) - of_user - besides.sums[count]
            log_total = math.log(left) if left > 0 else 0.0
            number = numbers[row]
            for j in range(num_negatives):
                if left <= 0:
                    return row, _NO_WEIGHT, j
                integer = below(high[word], low[word], left)
                word += 1
                place, at, index = find(integer, lists, weights, begin, end, besides, count)
                weight = weight_before(weights, place + 1) - weight_before(weights, place)
                item_ids[number, j] = lists.start + place
                log_q[number, j] = math.log(weight) - log_total
                if not replacement:
                    insert(lists, weights, begin, besides, count, at, place, index)
                    count, left = count + 1, left - weight
        first = stop
    return 0, _FINE, 0


@part()
def _end_of_run(numbers: Integers, first: int, limit: int) -> int:
    """Return the end of the longest run of consecutive numbers from `first`, up to `limit`."""
    stop = first + 1
    while stop < min(limit, len(numbers)) and numbers[stop] == numbers[stop - 1] + 1:
        stop += 1
    return stop
