"""Draws in proportion to exp(alpha * score): the two-level inversion of the reference.

Pass 1 computes scores tile by tile and keeps the log of each block's mass, the sum over its 128
columns. A draw picks a block in proportion to the masses by its first word, computes the scores of
the block again, and picks a column by its second. Nothing raises here: errors are recorded per row,
since a graph cannot raise.
"""

from __future__ import annotations

import math
from typing import Final

import tensorflow as tf
from tensorflow import Tensor

from negsamp_tensorflow.candidates import Columns
from negsamp_tensorflow.draws import INVALID_SCORE, NO_SCORE, TOO_FEW, Draws
from negsamp_tensorflow.scores import BLOCK, CalledScores, Scores

__all__ = ["draw"]

_NOTHING: Final = -math.inf


def draw(scores: Scores, excluded: Tensor, words: Tensor, replacement: bool, tile: int) -> Draws:
    """Return draws for words of shape (rows, num_negatives, 2).

    `excluded` holds distinct columns, -1 for none; `tile` is the number of columns processed at
    once.
    """
    num_negatives = int(words.shape[1])
    admissible = scores.columns.count - tf.reduce_sum(tf.cast(excluded >= 0, tf.int64), axis=1)
    masses = block_masses(scores, excluded, tile)
    total = log_sum_exp(masses)
    shares = shares_of(masses) if replacement else None  # else masses change with each draw
    called = None
    if shares is not None and isinstance(scores, CalledScores):  # once per block for all draws
        blocks = tf.map_fn(lambda word: pick(shares, word), tf.transpose(words[:, :, 0]))
        called = blocks, scores.blocks(blocks)

    def step(
        j: Tensor, excluded: Tensor, masses: Tensor, drawn: Tensor, logs: Tensor, stuck: Tensor
    ) -> tuple[Tensor, ...]:
        highest = tf.reduce_max(masses, axis=1)
        stuck = tf.where((stuck < 0) & tf.equal(highest, _NOTHING), tf.cast(j, tf.int64), stuck)
        if called is None:
            block = pick(shares_of(masses) if shares is None else shares, words[:, j, 0])
            found = scores.blocks(block)
        else:
            block, found = (tf.gather(each, j) for each in called)
        inside = log_weights_of(block, found, scores.columns, excluded)
        highest = tf.reduce_max(inside, axis=1)
        place = pick(tf.exp(inside - highest[:, None]), words[:, j, 1])
        column = block * BLOCK + place
        own = tf.range(num_negatives) == j
        log_weight = tf.gather(inside, place, axis=1, batch_dims=1)
        drawn = tf.where(own, column[:, None], drawn)
        logs = tf.where(own, log_weight[:, None], logs)
        if not replacement:
            excluded = tf.concat([excluded[:, 1:], column[:, None]], axis=1)
            left = log_sum_exp(_mask(inside, place[:, None]))
            index = tf.stack([tf.range(tf.shape(block, tf.int64)[0]), block], axis=1)
            masses = tf.tensor_scatter_nd_update(masses, index, left)
        return j + 1, excluded, masses, drawn, logs, stuck

    if not replacement:
        excluded = tf.pad(excluded, [[0, 0], [num_negatives, 0]], constant_values=-1)
    nothing = tf.zeros_like(words[:, :, 0])
    start = (excluded, masses, nothing, tf.cast(nothing, tf.float64), nothing[:, 0] - 1)
    _, _, _, drawn, logs, stuck = tf.while_loop(
        lambda j, *_: j < num_negatives, step, (tf.constant(0), *start)
    )
    log_q = tf.cast(tf.minimum(logs - total[:, None], 0.0), tf.float32)
    draws = Draws(drawn, log_q, tf.zeros_like(stuck, tf.int32), admissible)
    return (
        draws.with_problem(NO_SCORE, stuck >= 0, stuck)
        .with_problem(INVALID_SCORE, tf.reduce_any(tf.math.is_nan(masses), axis=1))
        .with_problem(TOO_FEW, admissible < (1 if replacement else num_negatives), admissible)
    )


def block_masses(scores: Scores, excluded: Tensor, tile: int) -> Tensor:
    """Return log sum exp of each block, float64 (rows, blocks); NaN for a bad score."""
    columns, num_rows = scores.columns, tf.shape(excluded)[0]
    blocks = min(-(-tile // BLOCK), -(-columns.width // BLOCK))
    size = blocks * BLOCK

    def of_tile(first: Tensor) -> Tensor:
        inside = first + tf.range(size, dtype=tf.int64) < columns.count
        part = _mask(tf.where(inside, scores.tile(first, size), _NOTHING), excluded - first)
        return log_sum_exp(tf.reshape(part, tf.stack([num_rows, blocks, BLOCK])))

    def nothing() -> Tensor:
        return tf.fill(tf.stack([num_rows, blocks]), tf.constant(_NOTHING, tf.float64))

    def of_tile_if_used(first: Tensor) -> Tensor:
        return tf.cond(first < columns.count, lambda: of_tile(first), nothing)

    masses = tf.map_fn(
        of_tile_if_used if tf.is_tensor(columns.count) else of_tile,
        tf.range(0, columns.width, size, dtype=tf.int64),
        fn_output_signature=tf.TensorSpec((excluded.shape[0], blocks), tf.float64),
    )
    return tf.reshape(tf.transpose(masses, [1, 0, 2]), tf.stack([num_rows, -1]))


def shares_of(masses: Tensor) -> Tensor:
    """Return the mass of each block over the largest of its row."""
    return tf.exp(masses - tf.reduce_max(masses, axis=1)[:, None])


def log_weights_of(block: Tensor, found: Tensor, columns: Columns, excluded: Tensor) -> Tensor:
    """Return the log-weights of one block of each row, float64 (rows, BLOCK)."""
    first = block[:, None] * BLOCK
    inside = first + tf.range(BLOCK, dtype=tf.int64) < columns.count
    found = tf.where(inside, found, _NOTHING)
    return tf.cast(_mask(found, excluded - first), tf.float64)


def log_sum_exp(log_weights: Tensor) -> Tensor:
    """Return log sum exp over the last axis in float64, shifted by the maximum."""
    highest = tf.reduce_max(log_weights, axis=-1)
    shift = tf.where(tf.equal(highest, _NOTHING), tf.zeros_like(highest), highest)
    sums = tf.reduce_sum(tf.exp(log_weights - shift[..., None]), axis=-1)
    return tf.cast(shift, tf.float64) + tf.math.log(tf.cast(sums, tf.float64))


def pick(weights: Tensor, words: Tensor) -> Tensor:
    """Return for each line the first index whose running sum exceeds u * total.

    The uniform number u is (word + 1/2) / 2**32.
    """
    sums = tf.cumsum(weights, axis=1)
    threshold = (tf.cast(words, tf.float64) + 0.5) * 2.0**-32 * sums[:, -1]
    return tf.reduce_sum(tf.cast(sums <= threshold[:, None], tf.int64), axis=1)


def _mask(log_weights: Tensor, columns: Tensor) -> Tensor:
    """Set some columns of each row to -inf, ignoring columns outside.

    The scatter has a fixed number of updates: those that are not needed go to column 0, and write
    the value that it is to have anyway.
    """
    width = int(log_weights.shape[1])
    inside = (columns >= 0) & (columns < width)
    index = tf.where(inside, columns, 0)
    none = tf.constant(_NOTHING, log_weights.dtype)
    first = tf.reduce_any(inside & (columns == 0), axis=1)
    first = tf.where(first, none, log_weights[:, 0])
    row = tf.broadcast_to(tf.range(tf.shape(index, tf.int64)[0])[:, None], tf.shape(index))
    return tf.tensor_scatter_nd_update(
        log_weights, tf.stack([row, index], axis=2), tf.where(inside, none, first[:, None])
    )
