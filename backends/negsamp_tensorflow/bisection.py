"""Bisection of stretches of a flat array, for all rows at once."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
from tensorflow import Tensor

__all__ = ["bisect"]


def bisect(first: Tensor, last: Tensor, longest: int, before: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the first index in [first, last) at which `before` is false, or `last`.

    `before` holds from `first` up to some index, and from there on never. No stretch is longer
    than `longest`. Where one is used up, `before` is asked for index 0 and its answer not read.
    """
    for _ in range(longest.bit_length()):
        open_ = first < last
        middle = tf.where(open_, (first + last) // 2, 0)
        further = open_ & before(middle)
        last = tf.where(open_ & ~further, middle, last)
        first = tf.where(further, middle + 1, first)
    return first
