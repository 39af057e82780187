"""Exclusions of a row, in two lists that are not merged.

The items of the row's user are the ascending range ``[begin, end)`` of `user_items`. Its target and
the caller's `exclude` are its short, ascending row of `more`, with -1 for none.
"""

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["is_excluded", "lower_bound"]


@triton.jit
def lower_bound(values, wanted, begin, end, STEPS: tl.constexpr):
    """Return the first index in [begin, end) whose value is not below `wanted`, or end."""
    first = wanted * 0 + begin
    last = wanted * 0 + end
    for _ in range(STEPS):
        middle = (first + last) >> 1
        active = first < last
        below = active & (tl.load(values + middle, mask=active, other=0) < wanted)
        first = tl.where(below, middle + 1, first)
        last = tl.where(below, last, middle)
    return first


@triton.jit
def is_excluded(places, user_items, begin, end, more, num_more, STEPS: tl.constexpr):
    """Return for each place whether one row must not draw it."""
    index = lower_bound(user_items, places, begin, end, STEPS)
    excluded = tl.load(user_items + index, mask=index < end, other=-1) == places
    for i in range(num_more):
        excluded |= tl.load(more + i) == places
    return excluded
