"""Results of the kernels: collected chunk by chunk, checked, and converted to negatives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow import Tensor

from negsamp import row_errors
from negsamp.negatives import Negatives
from negsamp_tensorflow.rows import Rows

__all__ = [
    "CHANGED_SCORE",
    "INVALID_SCORE",
    "NO_SCORE",
    "NO_WEIGHT",
    "TOO_FEW",
    "Draws",
    "in_chunks",
    "negatives",
]

TOO_FEW, INVALID_SCORE, NO_SCORE, NO_WEIGHT, CHANGED_SCORE = 1, 2, 3, 4, 5
"""Error codes of a row; 0 is none."""


class Draws(NamedTuple):
    """Draws for some rows.

    Attributes
    ----------
    places : int64, shape (rows, num_negatives)
        Positions in the catalogue.
    log_q : float32, shape (rows, num_negatives)
    problem : int32, shape (rows,)
        0, or an error code: the other values of the row are then arbitrary.
    detail : int64, shape (rows,)
        For the message: how many places are admissible, or how many were drawn before.
    """

    places: Tensor
    log_q: Tensor
    problem: Tensor
    detail: Tensor

    def with_problem(self, problem: int, where: Tensor, detail: Any = 0) -> Draws:
        """Return the same with an error code set in some rows, replacing any set before."""
        detail = tf.broadcast_to(tf.cast(detail, tf.int64), tf.shape(self.detail))
        return self._replace(
            problem=tf.where(where, problem, self.problem),
            detail=tf.where(where, detail, self.detail),
        )


def in_chunks(rows: Rows, size: int, num_negatives: int, draw: Callable[[Tensor], Draws]) -> Draws:
    """Call `draw` with the numbers of at most `size` sampled rows at a time; collect the results.

    XLA needs chunks of one size, so the last one is padded with its last row. Sampled rows come
    first in `rows.order`, and the loop ends with them: masked rows cost nothing.
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

    def chunk(start: Any) -> tuple[Tensor, Draws]:
        index = tf.minimum(start + tf.range(size, dtype=tf.int64), rows.num_sampled - 1)
        numbers = tf.gather(rows.order, index)
        return numbers, draw(numbers)

    def update(whole: Iterable[Tensor], numbers: Tensor, parts: Iterable[Tensor]) -> list[Tensor]:
        return [
            tf.tensor_scatter_nd_update(each, numbers[:, None], part)
            for each, part in zip(whole, parts, strict=True)
        ]

    if tf.executing_eagerly():  # where each update copies the whole
        chunks = [chunk(start) for start in range(0, int(rows.num_sampled), size)]
        if not chunks:
            return nothing
        numbers, parts = zip(*chunks, strict=True)
        joined = (tf.concat(each, axis=0) for each in zip(*parts, strict=True))
        return Draws(*update(nothing, tf.concat(numbers, axis=0), joined))

    def step(start: Tensor, *done: Tensor) -> tuple[Tensor, ...]:
        return start + tf.cast(size, tf.int64), *update(done, *chunk(start))

    _, *done = tf.while_loop(
        lambda start, *_: start < rows.num_sampled, step, (tf.constant(0, tf.int64), *nothing)
    )
    return Draws(*done)


def negatives(items: range, rows: Rows, draws: Draws, num_candidates: Any = None) -> Negatives:
    """Raise the recorded errors, and return ids and log-probabilities of all targets.

    `num_candidates` is None without a pre-selection. Under XLA nothing can be raised: a row with an
    error gets an id that is not its target, and log_q NaN.
    """
    num_negatives, preselected = int(draws.places.shape[1]), num_candidates is not None

    def few(number: int, shape: tuple[int, ...], admissible: Any, candidates: Any) -> Exception:
        return row_errors.few_negatives(
            number, shape, admissible, num_negatives, candidates, preselected
        )

    def invalid(number: int, shape: tuple[int, ...], _: Any) -> Exception:
        return row_errors.invalid_score(number, shape)

    def changed(number: int, shape: tuple[int, ...], _: Any) -> Exception:
        return row_errors.changed_score(number, shape)

    count = num_candidates if preselected else len(items)
    candidates = tf.fill(tf.shape(draws.detail), tf.cast(count, tf.int64))
    rows.refuse(few, tf.equal(draws.problem, TOO_FEW), draws.detail, candidates)
    for problem, error_of in (
        (INVALID_SCORE, invalid),
        (NO_SCORE, row_errors.no_finite_score),
        (NO_WEIGHT, row_errors.no_weight),
        (CHANGED_SCORE, changed),
    ):
        rows.refuse(error_of, tf.equal(draws.problem, problem), draws.detail)
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
