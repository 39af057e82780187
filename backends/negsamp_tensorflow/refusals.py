"""Errors for invalid input: raised in eager mode, asserted in a graph.

In a graph the message is built by string operations when the graph runs. XLA supports neither these
nor assertions: there nothing is raised, and the kernels must return safe results.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from typing import Any

import tensorflow as tf
from tensorflow import Tensor

from negsamp.row_errors import row_name
from negsamp_tensorflow.tracing import in_xla

__all__ = ["MakeError", "refuse"]

MakeError = Callable[..., Exception]
"""Builds an error from the flat index of the invalid element, the array's shape, and values."""


def refuse(make_error: MakeError, wrong: Tensor, shape: Tensor, *values: Tensor) -> list[Any]:
    """Raise for the first invalid element, or return assertions that results must depend on.

    Parameters
    ----------
    make_error : callable
    wrong : bool, shape (n,)
        Which elements are invalid, in C order of `shape`.
    shape : int64, shape (rank,)
    *values : integers of any type, shape (n,)
        Details of each element for the message, such as an id or a count.
    """
    if tf.executing_eagerly():
        if bool(tf.reduce_any(wrong)):
            first = int(_first(wrong))
            details = (int(each[first]) for each in values)
            raise make_error(first, tuple(shape.numpy().tolist()), *details)
        return []
    if in_xla():
        return []

    def message() -> Tensor:
        first = _first(wrong)
        return _message(make_error, first, shape, [each[first] for each in values])

    right = ~tf.reduce_any(wrong)
    return [tf.debugging.Assert(right, [tf.cond(right, lambda: tf.constant(""), message)])]


def _message(make_error: MakeError, number: Tensor, shape: Tensor, values: list[Tensor]) -> Tensor:
    """Fill index and values into the message of an error, which differs for counts of 0 and 1."""
    rank = int(shape.shape[0])
    index = number // tf.math.cumprod(shape, exclusive=True, reverse=True) % shape
    place = tf.strings.reduce_join(tf.strings.as_string(index), separator=", ")
    parts = [place, *(tf.strings.as_string(each) for each in values)]
    blanks = [f"{{{number}}}" for number in range(1, len(parts))]

    def text(details: list[Any]) -> Tensor:
        words = str(make_error(0, (), *details)).replace("[]", "[{0}]", 1)
        if rank and words.startswith(unnamed := row_name(0, ())):
            words = ("row {0}" if rank == 1 else "row ({0})") + words.removeprefix(unnamed)
        pieces = re.split(r"\{(\d)\}", words)
        pieces[1::2] = [parts[int(number)] for number in pieces[1::2]]
        return tf.strings.join(pieces)

    message = text(blanks)
    for counts in list(product((None, 0, 1), repeat=len(values)))[1:]:
        known = {at: count for at, count in enumerate(counts) if count is not None}
        fits = tf.reduce_all([tf.equal(values[at], count) for at, count in known.items()])
        message = tf.where(
            fits, text([known.get(at, each) for at, each in enumerate(blanks)]), message
        )
    return message


def _first(wrong: Tensor) -> Tensor:
    return tf.argmax(tf.cast(wrong, tf.int32))
