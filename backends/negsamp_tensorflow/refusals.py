"""How bad input is refused: by an error of negsamp in eager mode, by an assertion in a graph.

In a graph the words of the error are put together by string operations when the graph runs. XLA
has neither these nor assertions: there it is left to the kernels that the result is safe.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow import Tensor

from negsamp.validation import row_name
from negsamp_tensorflow.tracing import in_xla

__all__ = ["Word", "refuse"]

Word = Callable[..., Exception]
"""Words a refusal, given the number of what is wrong, the shape that counts it, and values."""


def refuse(word: Word, wrong: Tensor, shape: Tensor, *values: Tensor) -> list[Any]:
    """Refuse the first that is wrong; return the assertions that a result has to wait for.

    Parameters
    ----------
    word : callable
    wrong : bool, shape (n,)
        In C order of `shape`.
    shape : int64, shape (rank,)
    *values : integers of any type, shape (n,)
        What is told of each: an id, a number.
    """
    if tf.executing_eagerly():
        if bool(tf.reduce_any(wrong)):
            first = int(_first(wrong))
            raise word(first, tuple(shape.numpy().tolist()), *(int(each[first]) for each in values))
        return []
    if in_xla():
        return []

    def sentence() -> Tensor:
        first = _first(wrong)
        return _sentence(word, first, shape, [each[first] for each in values])

    right = ~tf.reduce_any(wrong)
    return [tf.debugging.Assert(right, [tf.cond(right, lambda: tf.constant(""), sentence)])]


def _sentence(word: Word, number: Tensor, shape: Tensor, values: list[Tensor]) -> Tensor:
    """Put a place and values into the words of a refusal, which are others for none and one."""
    rank = int(shape.shape[0])
    index = number // tf.math.cumprod(shape, exclusive=True, reverse=True) % shape
    place = tf.strings.reduce_join(tf.strings.as_string(index), separator=", ")
    parts = [place, *(tf.strings.as_string(each) for each in values)]
    blanks = [f"{{{number}}}" for number in range(1, len(parts))]

    def text(told: list[Any]) -> Tensor:
        words = str(word(0, (), *told)).replace("[]", "[{0}]", 1)
        if rank and words.startswith(unnamed := row_name(0, ())):
            words = ("row {0}" if rank == 1 else "row ({0})") + words.removeprefix(unnamed)
        pieces = re.split(r"\{(\d)\}", words)
        pieces[1::2] = [parts[int(number)] for number in pieces[1::2]]
        return tf.strings.join(pieces)

    sentence = text(blanks)
    for few in (0, 1):
        sentence = tf.where(tf.equal(values[0], few), text([few, *blanks[1:]]), sentence)
    return sentence


def _first(wrong: Tensor) -> Tensor:
    return tf.argmax(tf.cast(wrong, tf.int32))
