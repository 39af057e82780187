"""The exponents of one block of one row, and their log-sum: used by both passes."""

from __future__ import annotations

import triton
import triton.language as tl

from negsamp_torch.fused.kernels.exclusion import is_excluded

__all__ = ["block_exponents", "log_mass"]


@triton.jit
def block_exponents(
    query,
    items,
    places,
    user_items,
    begin,
    end,
    more,
    num_more,
    block,
    factor,
    width,
    dim,
    stride,
    BLOCK: tl.constexpr,
    STEP: tl.constexpr,
    STEPS: tl.constexpr,
    LISTED: tl.constexpr,
):
    """Return factor * score of the columns of a block, float32; -inf where excluded or padding.

    Columns are places in the catalogue or, if LISTED, indices into the candidates `places`. The
    rows of the item table are `stride` elements apart.
    """
    column = block * BLOCK + tl.arange(0, BLOCK)
    inside = column < width
    place = tl.load(places + column, mask=inside, other=-1) if LISTED else column.to(tl.int64)
    score = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, dim, STEP):
        axis = start + tl.arange(0, STEP)
        known = axis < dim
        part = tl.load(query + axis, mask=known, other=0.0).to(tl.float32)
        lines = tl.load(
            items + place[:, None] * stride + axis[None, :],
            mask=inside[:, None] & known[None, :],
            other=0.0,
        )
        score += tl.sum(lines.to(tl.float32) * part[None, :], 1)
    excluded = is_excluded(place, user_items, begin, end, more, num_more, STEPS)
    return tl.where(inside & ~excluded, score * factor, -float("inf"))


@triton.jit
def log_mass(exponents, AXIS: tl.constexpr):
    """Return shift and sum of ``2 ** exponent == sum * 2 ** shift``; (-inf, 0) if all are -inf."""
    shift = tl.max(exponents, AXIS)
    finite = tl.where(shift == -float("inf"), 0.0, shift)
    return shift, tl.sum(tl.exp2(exponents - tl.expand_dims(finite, AXIS)), AXIS)
