"""Pre-selection: uniform subsets of the catalogue (eq. 6), the same as the reference's."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import types

from negsamp.stream import CANDIDATES, Stream
from negsamp_numba.compiling import instruction, kernel
from negsamp_numba.philox import CounterBase, below, counter_base, words_of_draws
from negsamp_numba.rows import Integers

__all__ = ["one_for_all_rows", "one_for_each_row"]

_ONE: Final = np.uint64(1)
_SIX: Final = np.uint64(6)
_LAST_BIT: Final = np.uint64(63)
_KEY_SHIFT: Final = np.uint64(31)
_ZERO: Final = np.uint64(0)
_ALL: Final = np.uint64(2**64 - 1)


def one_for_all_rows(stream: Stream, width: int, count: int) -> Integers:
    """Return `count` distinct places below `width`, ascending: those with the smallest keys."""
    keys = _keys(counter_base(stream, CANDIDATES), width)
    margin = np.partition(keys, count - 1)[count - 1]
    taken = keys < margin
    taken[np.flatnonzero(keys == margin)[: count - int(taken.sum())]] = True
    return np.flatnonzero(taken)


def one_for_each_row(stream: Stream, width: int, count: int, numbers: Integers) -> Integers:
    """Return `count` distinct places below `width` for each row, ascending: Floyd's algorithm."""
    return _subsets(counter_base(stream, CANDIDATES), width, count, numbers)


@kernel
def _keys(words: CounterBase, width: int) -> Integers:
    high, low = np.empty(width + 2, np.uint64), np.empty(width + 2, np.uint64)
    words_of_draws(words, 0, width, high, low)
    keys = np.empty(width, np.int64)
    for place in range(width):
        keys[place] = np.int64(high[place] << _KEY_SHIFT | low[place] >> _ONE)
    return keys


@kernel
def _subsets(words: CounterBase, width: int, count: int, numbers: Integers) -> Integers:
    """Select by Floyd's algorithm in a bit set per row, and list the set bits or the others."""
    steps = min(count, width - count)
    high, low = np.empty(steps + 2, np.uint64), np.empty(steps + 2, np.uint64)
    subsets = np.empty((len(numbers), count), np.int64)
    num_words = (width + 63) >> 6
    flipped = _ZERO if steps == count else _ALL
    beyond = _ALL << (np.uint64(width) & _LAST_BIT) if width & 63 else _ZERO
    taken = np.zeros(num_words, np.uint64)
    for row in range(len(numbers)):
        word = words_of_draws(words, numbers[row] * steps, steps, high, low)
        for m in range(steps):
            largest = np.uint64(width - steps + m)
            t = np.uint64(below(high[word + m], low[word + m], width - steps + m + 1))
            if (taken[t >> _SIX] >> (t & _LAST_BIT)) & _ONE:
                t = largest
            taken[t >> _SIX] |= _ONE << (t & _LAST_BIT)
        column = 0
        for index in range(num_words):
            bits = taken[index] ^ flipped
            if index == num_words - 1:
                bits &= ~beyond
            while bits != _ZERO:
                subsets[row, column] = (index << 6) + _lowest_bit(bits)
                column += 1
                bits &= bits - _ONE
            taken[index] = _ZERO
    return subsets


@instruction
def _lowest_bit(_context: Any, _bits: Any) -> Any:
    """Return the index of the lowest bit that is set; at least one must be."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], context.get_constant(types.boolean, True))

    return types.int64(types.uint64), generate
