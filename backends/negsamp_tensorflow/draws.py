"""What the kernels return, how it is put together from chunks of rows, and made into negatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow import Tensor

from negsamp import validation
from negsamp.negatives import Negatives
from negsamp_tensorflow.rows import Rows

__all__ = ["INVALID_SCORE", "NO_SCORE", "NO_WEIGHT", "TOO_FEW", "Draws", "in_chunks", "negatives"]

TOO_FEW, INVALID_SCORE, NO_SCORE, NO_WEIGHT = 1, 2, 3, 4
"""What can keep a row from being drawn for; 0 is nothing."""


class Draws(NamedTuple):
    """Draws for some rows.

    Attributes
    ----------
    places : int64, shape (rows, num_negatives)
        Positions in the catalogue.
    log_q : float32, shape (rows, num_negatives)
    problem : int32, shape (rows,)
        0, or why what stands in the row is no draw.
    told : int64, shape (rows,)
        What is told of the problem: how many places are admissible, or were drawn before.
    """

    places: Tensor
    log_q: Tensor
    problem: Tensor
    told: Tensor

    def noting(self, problem: int, where: Tensor, told: Any = 0) -> Draws:
        """Return the same with another problem in some rows, that goes before what was there."""
        told = tf.broadcast_to(tf.cast(told, tf.int64), tf.shape(self.told))
        return self._replace(
            problem=tf.where(where, problem, self.problem), told=tf.where(where, told, self.told)
        )


def in_chunks(rows: Rows, size: int, num_negatives: int, draw: Callable[[Tensor], Draws]) -> Draws:
    """Draw for the sampled rows, about `size` of them at once, given their numbers.

    All chunks are of one size, which XLA wants: the last draws for its last row more than once.
    The loop ends with the sampled rows, so that the others cost nothing.
    """
    num_rows = rows.num_rows
    size = tf.minimum(size, num_rows) if tf.is_tensor(num_rows) else min(size, num_rows)
    nothing = Draws(
        tf.zeros((num_rows, num_negatives), tf.int64),
        tf.zeros((num_rows, num_negatives), tf.float32),
        tf.zeros((num_rows,), tf.int32),
        tf.zeros((num_rows,), tf.int64),
    )
    if isinstance(size, int) and size == 0:
        return nothing

    def step(start: Tensor, *done: Tensor) -> tuple[Tensor, ...]:
        index = tf.minimum(start + tf.range(size, dtype=tf.int64), rows.num_sampled - 1)
        numbers = tf.gather(rows.order, index)
        chunk = draw(numbers)
        return start + tf.cast(size, tf.int64), *(
            tf.tensor_scatter_nd_update(whole, numbers[:, None], part)
            for whole, part in zip(done, chunk, strict=True)
        )

    _, *done = tf.while_loop(
        lambda start, *_: start < rows.num_sampled, step, (tf.constant(0, tf.int64), *nothing)
    )
    return Draws(*done)


def negatives(items: range, rows: Rows, draws: Draws, num_candidates: Any = None) -> Negatives:
    """Refuse what was found, and give each target its ids and log-probabilities.

    `num_candidates` is None where none are pre-selected.

    Where nothing is refused although something is wrong, which is under XLA, a row gets an id that
    is not its target, and log_q NaN.
    """
    num_negatives, preselected = int(draws.places.shape[1]), num_candidates is not None

    def few(number: int, shape: tuple[int, ...], admissible: Any, candidates: Any) -> Exception:
        return validation.few_negatives(
            number, shape, admissible, num_negatives, candidates, preselected
        )

    def invalid(number: int, shape: tuple[int, ...], _: Any) -> Exception:
        return validation.invalid_score(number, shape)

    count = num_candidates if preselected else len(items)
    candidates = tf.fill(tf.shape(draws.told), tf.cast(count, tf.int64))
    rows.refuse(few, tf.equal(draws.problem, TOO_FEW), draws.told, candidates)
    for problem, word in (
        (INVALID_SCORE, invalid),
        (NO_SCORE, validation.no_finite_score),
        (NO_WEIGHT, validation.no_weight),
    ):
        rows.refuse(word, tf.equal(draws.problem, problem), draws.told)
    wrong = (rows.bad | (draws.problem != 0))[:, None]
    target = rows.few[:, :1]
    other = tf.where(target == 0, min(1, len(items) - 1), 0)
    places = tf.where(wrong, tf.cast(other, tf.int64), draws.places)
    log_q = tf.where(wrong, tf.constant(float("nan")), tf.stop_gradient(draws.log_q))
    shape = tf.concat([rows.shape, [num_negatives]], axis=0)
    kept = rows.sampled[:, None]
    with tf.control_dependencies(rows.assertions):
        return Negatives(
            tf.reshape(tf.where(kept, items.start + places, 0), shape),
            tf.reshape(tf.where(kept, log_q, 0.0), shape),
        )
