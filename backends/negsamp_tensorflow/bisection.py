"""Bisection in ranges of a flat array, and in the lines of a matrix, for all rows at once."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
from tensorflow import Tensor

from negsamp_tensorflow.tracing import in_xla

__all__ = ["bisect", "count_up_to"]


def bisect(first: Tensor, last: Tensor, longest: int, before: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the first index in [first, last) at which `before` is false, or `last`.

    `before` must be true up to some index and false from there on. No range is longer than
    `longest`. For ranges that are exhausted `before` is evaluated at index 0 and the result
    ignored.
    """
    for _ in range(longest.bit_length()):
        open_ = first < last
        middle = tf.where(open_, (first + last) // 2, 0)
        further = open_ & before(middle)
        last = tf.where(open_ & ~further, middle, last)
        first = tf.where(further, middle + 1, first)
    return first


def count_up_to(lines: Tensor, values: Tensor) -> Tensor:
    """Return how many of each ascending line (rows, any) are at most each value (rows, draws)."""
    if not in_xla():  # XLA would materialise all pairwise comparisons
        return tf.searchsorted(lines, values, side="right", out_type=tf.int64)
    num_rows, length = tf.unstack(tf.shape(lines, tf.int64))
    longest = lines.shape[1] or 2**31 - 1  # if the length is not known while tracing
    flat = tf.reshape(lines, [-1])
    start = tf.broadcast_to(tf.range(num_rows)[:, None] * length, tf.shape(values))
    end = bisect(start, start + length, longest, lambda index: tf.gather(flat, index) <= values)
    return end - start
