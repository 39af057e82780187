"""The words of :class:`negsamp.stream.Stream`, many blocks at a time.

Words are stored in the lower half of uint64. In Numba an operation of uint64 with int64 gives
float64, so every constant and index that is combined with a word is converted explicitly.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types

from negsamp.stream import Stream
from negsamp_numba.compiling import instruction, part

__all__ = ["CounterBase", "Words", "below", "counter_base", "unit", "words_of_draws"]

Words = npt.NDArray[np.uint64]
CounterBase = tuple[np.uint64, np.uint64, np.uint64, np.uint64]
"""Key and upper half of the counter, two words each: the same for all blocks of a call."""

_MASK: Final = np.uint64(0xFFFFFFFF)
_HALF: Final = np.uint64(32)
_ONE: Final = np.uint64(1)
_MULTIPLIERS: Final = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_KEY_STEPS: Final = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_ROUNDS: Final = 10


def counter_base(stream: Stream, use: int) -> CounterBase:
    """Return key and upper half of the counter of a call, as kernels take them."""
    k0, k1, c2, c3 = (np.uint64(word) for word in (*stream.key_words, *stream.counter_tail(use)))
    return k0, k1, c2, c3


@part()
def words_of_draws(base: CounterBase, first: int, num_draws: int, high: Words, low: Words) -> int:
    """Write the two words of draws first, first + 1, ..., and return the index of the first draw.

    Two draws share a block, and whole blocks are written: the index is 0 or 1, and `high` and `low`
    need room for num_draws + 2.
    """
    skipped = first & 1
    num_blocks = (skipped + num_draws + 1) >> 1
    blocks = np.empty((4, num_blocks), np.uint64)
    philox4x32(base, np.uint64(first) >> _ONE, blocks)
    for i in range(num_blocks):
        high[2 * i], low[2 * i] = blocks[0, i], blocks[1, i]
        high[2 * i + 1], low[2 * i + 1] = blocks[2, i], blocks[3, i]
    return skipped


@part()
def philox4x32(base: CounterBase, first: np.uint64, blocks: Words) -> None:
    """Fill (4, num_blocks) `blocks` with the words of consecutive counters.

    The rounds are the outer loop, so that the compiler vectorises each over the blocks.
    """
    k0, k1, c2, c3 = base
    num_blocks = blocks.shape[1]
    for i in range(num_blocks):
        number = first + np.uint64(i)
        blocks[0, i], blocks[1, i] = number & _MASK, number >> _HALF
        blocks[2, i], blocks[3, i] = c2, c3
    for _ in range(_ROUNDS):
        for i in range(num_blocks):
            even = (blocks[0, i] & _MASK) * _MULTIPLIERS[0]
            odd = (blocks[2, i] & _MASK) * _MULTIPLIERS[1]
            c1, c3 = blocks[1, i], blocks[3, i]
            blocks[0, i], blocks[1, i] = (odd >> _HALF) ^ c1 ^ k0, odd & _MASK
            blocks[2, i], blocks[3, i] = (even >> _HALF) ^ c3 ^ k1, even & _MASK
        k0, k1 = (k0 + _KEY_STEPS[0]) & _MASK, (k1 + _KEY_STEPS[1]) & _MASK


@part()
def below(high: np.uint64, low: np.uint64, bound: int) -> int:
    """Turn two words into an integer in [0, bound): :func:`negsamp.stream.below`."""
    return int(_upper_product((high << _HALF) | low, np.uint64(bound)))


@part()
def unit(word: np.uint64) -> float:
    """Turn a word into a float64 in (0, 1): (word + 1/2) / 2**32."""
    return (np.float64(word) + 0.5) * 2.0**-32


@instruction
def _upper_product(_context: Any, _a: Any, _b: Any) -> Any:
    """Return the upper 64 bits of a 64 x 64-bit product."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        wide = ir.IntType(128)
        a, b = (builder.zext(argument, wide) for argument in arguments)
        upper = builder.lshr(builder.mul(a, b), ir.Constant(wide, 64))
        return builder.trunc(upper, ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), generate
