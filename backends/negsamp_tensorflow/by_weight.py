"""Draws in proportion to fixed weights: the integers of the reference, in tensors.

The reference skips all exclusions of a row in one search. Here the user's places stay in the CSR
arrays of the interactions, and there are two: the first skips the row's few other places, in terms
of the weight that the user's places leave admissible, and the second the user's places.
"""

from __future__ import annotations

import tensorflow as tf
from tensorflow import Tensor

from negsamp_tensorflow.bisection import bisect, count_up_to
from negsamp_tensorflow.draws import NO_WEIGHT, TOO_FEW, Draws
from negsamp_tensorflow.rows import Excluded
from negsamp_tensorflow.stream import below

__all__ = ["draw"]


def draw(excluded: Excluded, words: Tensor, replacement: bool, cumulative: Tensor | None) -> Draws:
    """Return draws for words of shape (rows, num_negatives, 2).

    `cumulative` is the sum of the weights before each position, or None where every weight is 1.
    """
    total = admissible_weight(excluded, cumulative)
    if replacement:
        integers = below(words, tf.maximum(total, 1)[:, None])
        places, stuck = pick(integers, excluded, cumulative), -tf.cast(total > 0, tf.int64)
    else:
        places, stuck = _successive(excluded, words, cumulative)
    weight = _before(places + 1, cumulative) - _before(places, cumulative)
    log_q = _log(weight) - _log(total)[:, None]
    admissible = excluded.width - excluded.counts
    wanted = 1 if replacement else int(words.shape[1])
    problem = tf.zeros_like(total, tf.int32)
    draws = Draws(places, tf.cast(log_q, tf.float32), problem, admissible)
    return draws.with_problem(NO_WEIGHT, stuck >= 0, stuck).with_problem(
        TOO_FEW, admissible < wanted, admissible
    )


def _successive(
    excluded: Excluded, words: Tensor, cumulative: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Draw without replacement; return places, and the first draw with nothing left, or -1."""
    num_negatives = int(words.shape[1])

    def step(
        j: Tensor, few: Tensor, places: Tensor, stuck: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        now = excluded.holding(few)
        left = admissible_weight(now, cumulative)
        integers = below(words[:, j], tf.maximum(left, 1))
        place = pick(integers[:, None], now, cumulative)[:, 0]
        stuck = tf.where((left <= 0) & (stuck < 0), tf.cast(j, tf.int64), stuck)
        own = tf.range(num_negatives) == j
        return j + 1, now.adding(place).few, tf.where(own, place[:, None], places), stuck

    excluded = excluded.with_room(num_negatives)
    nowhere = -tf.ones_like(words[:, 0, 0])
    _, _, places, stuck = tf.while_loop(
        lambda j, *_: j < num_negatives,
        step,
        (tf.constant(0), excluded.few, tf.zeros_like(words[:, :, 0]), nowhere),
    )
    return places, stuck


def admissible_weight(excluded: Excluded, cumulative: Tensor | None) -> Tensor:
    """Return the weight of all places of each row that are not excluded."""
    users = tf.gather(excluded.user_items.weight_before, tf.stack([excluded.first, excluded.last]))
    few = tf.reduce_sum(_weight_of_few(excluded, cumulative), axis=1)
    whole = tf.constant(excluded.width, tf.int64) if cumulative is None else cumulative[-1]
    return whole - (users[1] - users[0]) - few


def pick(integers: Tensor, excluded: Excluded, cumulative: Tensor | None) -> Tensor:
    """Return the position of each integer below its row's admissible weight, (rows, draws)."""
    sums, few = excluded.user_items.weight_before, excluded.few
    row_start = tf.gather(sums, excluded.first)[:, None]
    users_before = tf.gather(sums, excluded.index_of(few)) - row_start
    of_few = tf.cumsum(tf.pad(_weight_of_few(excluded, cumulative), [[0, 0], [1, 0]]), axis=1)
    admissible_before = _before(few, cumulative) - users_before - of_few[:, :-1]
    skipped = count_up_to(admissible_before, integers)
    shifted = integers + tf.gather(of_few, skipped, axis=1, batch_dims=1)

    def before(index: Tensor) -> Tensor:
        place = tf.gather(excluded.user_items.places, index)
        return _before(place, cumulative) - (tf.gather(sums, index) - row_start) <= shifted

    index = bisect(
        tf.broadcast_to(excluded.first[:, None], tf.shape(shifted)),
        tf.broadcast_to(excluded.last[:, None], tf.shape(shifted)),
        excluded.user_items.longest,
        before,
    )
    shifted += tf.gather(sums, index) - row_start
    places = shifted
    if cumulative is not None:
        width = tf.fill(tf.shape(shifted), tf.constant(excluded.width, tf.int64))
        places = bisect(
            tf.zeros_like(shifted),
            width,
            excluded.width,
            lambda place: tf.gather(cumulative, place + 1) <= shifted,
        )
    return tf.clip_by_value(places, 0, excluded.width - 1)


def _before(places: Tensor, cumulative: Tensor | None) -> Tensor:
    """Return the weight of all places before each."""
    return places if cumulative is None else tf.gather(cumulative, places)


def _weight_of_few(excluded: Excluded, cumulative: Tensor | None) -> Tensor:
    after = tf.minimum(excluded.few + 1, excluded.width)
    return _before(after, cumulative) - _before(excluded.few, cumulative)


def _log(weight: Tensor) -> Tensor:
    return tf.math.log(tf.cast(weight, tf.float64))
