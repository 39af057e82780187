"""The random words of :mod:`negsamp.stream` inside a kernel."""

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["fraction", "words"]


@triton.jit
def words(counter, use: tl.constexpr, draws):
    """Return the two words of each draw, int64; see :meth:`negsamp.stream.Stream.words`.

    `counter` holds the key of the stream and the number of the call.
    """
    call = tl.load(counter + 1)
    block = draws >> 1
    nothing = block & 0
    first, second, third, fourth = tl.philox(
        tl.load(counter),
        (block & 0xFFFFFFFF).to(tl.uint32),
        (block >> 32).to(tl.uint32),
        (nothing + (call & 0xFFFFFFFF)).to(tl.uint32),
        (nothing + ((call >> 32) | (use << 24))).to(tl.uint32),
    )
    odd = (draws & 1) == 1
    return tl.where(odd, third, first).to(tl.int64), tl.where(odd, fourth, second).to(tl.int64)


@triton.jit
def fraction(word):
    """Return (word + 1/2) / 2**32 in float64."""
    return (word.to(tl.float64) + 0.5) * 2.3283064365386963e-10
