"""How bad input is refused: by an error of negsamp in eager mode, by an assertion in a graph.

In a graph the words of the error are put together by string operations when the graph runs. XLA
has neither these nor assertions: there it is left to the kernels that the result is safe.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import tensorflow as tf
from tensorflow import Tensor
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

__all__ = ["Word", "refuse"]

Word = Callable[[int, tuple[int, ...], Any], Exception]
"""Words a refusal, given the number of what is wrong, the shape that counts it, and a value."""


def refuse(word: Word, wrong: Tensor, shape: Tensor, values: Tensor) -> list[Any]:
    """Refuse the first that is wrong; return the assertions that a result has to wait for.

    Parameters
    ----------
    word : callable
    wrong : bool, shape (n,)
        In C order of `shape`.
    shape : int64, shape (rank,)
    values : int64, shape (n,)
        What is told of each: an id, or a number.
    """
    if tf.executing_eagerly():
        if bool(tf.reduce_any(wrong)):
            first = int(_first(wrong))
            raise word(first, tuple(shape.numpy().tolist()), int(values[first]))
        return []
    if GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()):
        return []

    def sentence() -> Tensor:
        first = _first(wrong)
        return _sentence(word, first, shape, values[first])

    right = ~tf.reduce_any(wrong)
    return [tf.debugging.Assert(right, [tf.cond(right, lambda: tf.constant(""), sentence)])]


def _sentence(word: Word, number: Tensor, shape: Tensor, value: Tensor) -> Tensor:
    """Put a place and a value into the words of a refusal, which may be others for 0."""
    rank = int(shape.shape[0])
    index = number // tf.math.cumprod(shape, exclusive=True, reverse=True) % shape
    place = tf.strings.reduce_join(tf.strings.as_string(index), separator=", ")
    texts = []
    for told in (0, "{}"):
        text = str(word(0, (), told)).replace("[]", "[{}]", 1)
        text = text.replace("()", "({},)" if rank == 1 else "({})", 1)
        parts = zip_longest(text.split("{}"), [place, tf.strings.as_string(value)])
        known = text.count("{}")
        texts.append(tf.strings.join([part for pair in parts for part in pair][: 2 * known + 1]))
    return tf.where(tf.equal(value, 0), *texts)


def _first(wrong: Tensor) -> Tensor:
    return tf.argmax(tf.cast(wrong, tf.int32))
