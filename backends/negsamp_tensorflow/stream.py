"""The words of the stream, from TensorFlow's own Philox4x32-10 kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from negsamp.errors import InvalidInputError
from negsamp.stream import Stream

__all__ = ["below", "words", "words_of_rows"]

_PHILOX = 1
"""TensorFlow's number of the algorithm, ``tf.random.Algorithm.PHILOX``."""
_MASK = 0xFFFFFFFF


def words(stream: Stream, use: int, count: Any, first_block: Any = 0) -> Tensor:
    """Return the two words of each of `count` draws, int64 (count, 2).

    The first draw is number ``2 * first_block``, since a block of the counter has the words of two
    draws. Key and call of the stream are Python integers, or int64 tensors of the same bits.

    Raises
    ------
    InvalidInputError
        If a graph is being traced and the number of the call is not a tensor: it would be a
        constant of the graph.
    """
    if not tf.executing_eagerly() and not tf.is_tensor(stream.call):
        raise InvalidInputError(
            "a traced sample() would repeat its draws in every run of the graph, as inside "
            "tf.function and Keras' fit: draw from negsamp_tensorflow.GraphSampler(sampler)"
        )
    tail = _int64(use << 56) | _int64(stream.call)
    counter = tf.stack([tf.cast(first_block, tf.int64), tail])
    drawn = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=tf.stack([count, 2]),
        key=tf.bitcast(_int64(stream.key)[None], tf.uint64),
        counter=tf.bitcast(counter, tf.uint64),
        alg=_PHILOX,
        dtype=tf.uint32,
    )
    return tf.cast(drawn, tf.int64)


def words_of_rows(stream: Stream, use: int, numbers: Tensor, steps: Any, most: int) -> Tensor:
    """Return the words of `most` draws of each row from ``number * steps`` on, (rows, most, 2)."""

    def of_row(number: Tensor) -> Tensor:
        first = number * tf.cast(steps, tf.int64)
        drawn = words(stream, use, most + 1, first // 2)
        return tf.slice(drawn, tf.stack([first % 2, 0]), [most, 2])

    return tf.map_fn(of_row, numbers, fn_output_signature=tf.TensorSpec((most, 2), tf.int64))


def below(draws: Tensor, bound: Tensor) -> Tensor:
    """Return ``floor((2**32 high + low) * bound / 2**64)`` for words (..., 2) and 1 <= bound."""
    high, low = draws[..., 0], draws[..., 1]
    bound_high, bound_low = _high(bound), bound & _MASK
    high_low, low_high = high * bound_low, low * bound_high
    carry = _high(low * bound_low) + (high_low & _MASK) + (low_high & _MASK)
    return high * bound_high + _high(high_low) + _high(low_high) + _high(carry)


def _high(value: Tensor) -> Tensor:
    """Return the upper 32 of 64 bits."""
    return tf.bitwise.right_shift(value, tf.constant(32, tf.int64)) & _MASK


def _int64(value: Any) -> Tensor:
    """Return the 64 bits of an integer as an int64 scalar."""
    if isinstance(value, int):
        value = np.uint64(value).view(np.int64)
    return tf.convert_to_tensor(value, tf.int64)
