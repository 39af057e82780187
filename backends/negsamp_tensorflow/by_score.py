"""Draws in proportion to exp(alpha * score): the two-level inversion of the reference.

Pass 1 computes scores tile by tile and keeps the log of each block's mass, the sum over its 128
columns. A draw picks a block in proportion to the masses by its first word, computes the scores of
the block again, and picks a column by its second. Nothing raises here: errors are recorded per row,
since a graph cannot raise.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import tensorflow as tf
from tensorflow import Tensor

from negsamp.blocks import BLOCK
from negsamp_tensorflow.bisection import bisect, count_up_to
from negsamp_tensorflow.candidates import Columns
from negsamp_tensorflow.draws import INVALID_SCORE, NO_SCORE, TOO_FEW, Draws
from negsamp_tensorflow.scores import CalledScores, Scores

__all__ = ["draw"]

_NOTHING: Final = -math.inf


class _Picked(NamedTuple):
    """Draws as columns, and what may be wrong with them.

    Attributes
    ----------
    columns : int64, shape (rows, draws)
    log_weights : float64, shape (rows, draws)
    total : float64, shape (rows,)
        Log of the sum of all weights before the first draw.
    invalid : bool, shape (rows,)
        Whether a score is NaN or +inf.
    stuck : int64, shape (rows,)
        The draw that found nothing left, or -1.
    """

    columns: Tensor
    log_weights: Tensor
    total: Tensor
    invalid: Tensor
    stuck: Tensor


def draw(scores: Scores, excluded: Tensor, words: Tensor, replacement: bool, tile: int) -> Draws:
    """Return draws for words of shape (rows, num_negatives, 2).

    `excluded` holds distinct columns, -1 for none; `tile` is the number of columns processed at
    once. If it covers all columns, draws with replacement compute no score again.
    """
    num_negatives = int(words.shape[1])
    admissible = scores.columns.count - tf.reduce_sum(tf.cast(excluded >= 0, tf.int64), axis=1)
    if replacement and holds_all(scores, tile):
        picked = _from_held(scores, excluded, words)
    elif replacement and isinstance(scores, CalledScores):
        picked = _block_by_block(scores, excluded, words, tile)
    else:
        picked = _one_by_one(scores, excluded, words, replacement, tile)
    log_q = picked.log_weights - picked.total[:, None]
    log_q = tf.cast(tf.minimum(log_q, 0.0), tf.float32)
    draws = Draws(picked.columns, log_q, tf.zeros_like(picked.stuck, tf.int32), admissible)
    return (
        draws.with_problem(NO_SCORE, picked.stuck >= 0, picked.stuck)
        .with_problem(INVALID_SCORE, picked.invalid)
        .with_problem(TOO_FEW, admissible < (1 if replacement else num_negatives), admissible)
    )


def holds_all(scores: Scores, tile: int) -> bool:
    """Return whether one tile holds all columns, and all of them are in use.

    While tracing, a callable may have any number of rows, all at once: nothing is then held.
    """
    if isinstance(scores, CalledScores) and scores.numbers.shape[0] is None:
        return False
    columns = scores.columns
    return not tf.is_tensor(columns.count) and columns.width <= -(-tile // BLOCK) * BLOCK


def _from_held(scores: Scores, excluded: Tensor, words: Tensor) -> _Picked:
    """Draw with replacement, all draws at once, from scores that one tile holds."""
    num_rows, blocks = tf.shape(excluded, tf.int64)[0], -(-scores.columns.width // BLOCK)
    log_weights = _tile_of(scores, excluded, tf.constant(0, tf.int64), blocks)
    masses = log_sum_exp(log_weights)
    shares, high, low = tf.cumsum(shares_of(masses), axis=1), words[:, :, 0], words[:, :, 1]
    block = tf.minimum(count_up_to(shares, _thresholds(high, shares[:, -1:])), blocks - 1)
    lines = tf.reshape(log_weights, [-1, BLOCK])
    line = tf.range(num_rows)[:, None] * blocks + block
    if int(words.shape[1]) < blocks:  # else the sums of all blocks are fewer
        lines = tf.gather(lines, tf.reshape(line, [-1]))
        line = tf.reshape(tf.range(tf.size(line, tf.int64)), tf.shape(line))
    lines = tf.cast(lines, tf.float64)
    sums = tf.cumsum(tf.exp(lines - tf.reduce_max(lines, axis=1)[:, None]), axis=1)
    start, end = line * BLOCK, line * BLOCK + (BLOCK - 1)
    sums = tf.reshape(sums, [-1])
    threshold = _thresholds(low, tf.gather(sums, end))
    place = bisect(start, end, BLOCK - 1, lambda at: tf.gather(sums, at) <= threshold)
    log_weight = tf.gather(tf.reshape(lines, [-1]), place)
    column = block * BLOCK + place - start
    return _Picked(column, log_weight, log_sum_exp(masses), _has_nan(masses), _stuck(masses))


def _block_by_block(scores: CalledScores, excluded: Tensor, words: Tensor, tile: int) -> _Picked:
    """Draw with replacement, calling once per distinct block for all draws from it."""
    masses = block_masses(scores, excluded, tile)
    shares, high, low = tf.cumsum(shares_of(masses), axis=1), words[:, :, 0], words[:, :, 1]
    none = tf.constant(-(-scores.columns.width // BLOCK), tf.int64)
    block = tf.minimum(count_up_to(shares, _thresholds(high, shares[:, -1:])), none - 1)

    def step(wanted: Tensor, drawn: Tensor, logs: Tensor) -> tuple[Tensor, ...]:
        found = scores.tile(wanted * BLOCK, BLOCK)
        each_row = tf.fill(tf.shape(found)[:1], wanted)
        inside = log_weights_of(each_row, found, scores.columns, excluded)
        sums = tf.cumsum(tf.exp(inside - tf.reduce_max(inside, axis=1)[:, None]), axis=1)
        place = count_up_to(sums, _thresholds(low, sums[:, -1:]))
        place = tf.minimum(place, BLOCK - 1)  # NaN sums exceed no threshold
        here = tf.equal(block, wanted)
        drawn = tf.where(here, wanted * BLOCK + place, drawn)
        logs = tf.where(here, tf.gather(inside, place, axis=1, batch_dims=1), logs)
        return tf.reduce_min(tf.where(block > wanted, block, none)), drawn, logs

    start = tf.reduce_min(block), block, tf.zeros_like(block, tf.float64)
    _, drawn, logs = tf.while_loop(lambda wanted, *_: wanted < none, step, start)
    return _Picked(drawn, logs, log_sum_exp(masses), _has_nan(masses), _stuck(masses))


def _one_by_one(
    scores: Scores, excluded: Tensor, words: Tensor, replacement: bool, tile: int
) -> _Picked:
    """Draw one negative of all rows after another, computing its block again."""
    num_negatives = int(words.shape[1])
    masses = block_masses(scores, excluded, tile)
    total = log_sum_exp(masses)
    shares = shares_of(masses) if replacement else None  # else masses change with each draw

    def step(
        j: Tensor, excluded: Tensor, masses: Tensor, drawn: Tensor, logs: Tensor, stuck: Tensor
    ) -> tuple[Tensor, ...]:
        highest = tf.reduce_max(masses, axis=1)
        stuck = tf.where((stuck < 0) & tf.equal(highest, _NOTHING), tf.cast(j, tf.int64), stuck)
        block = pick(shares_of(masses) if shares is None else shares, words[:, j, 0])
        inside = log_weights_of(block, scores.blocks(block), scores.columns, excluded)
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
    _, _, masses, drawn, logs, stuck = tf.while_loop(
        lambda j, *_: j < num_negatives, step, (tf.constant(0), *start)
    )
    return _Picked(drawn, logs, total, _has_nan(masses), stuck)


def block_masses(scores: Scores, excluded: Tensor, tile: int) -> Tensor:
    """Return log sum exp of each block, float64 (rows, blocks); NaN for a bad score."""
    columns, num_rows = scores.columns, tf.shape(excluded)[0]
    blocks = min(-(-tile // BLOCK), -(-columns.width // BLOCK))
    size = blocks * BLOCK

    def of_tile(first: Tensor) -> Tensor:
        return log_sum_exp(_tile_of(scores, excluded, first, blocks))

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


def _tile_of(scores: Scores, excluded: Tensor, first: Tensor, blocks: int) -> Tensor:
    """Return log-weights from column `first` on, float32 (rows, blocks, BLOCK)."""
    inside = first + tf.range(blocks * BLOCK, dtype=tf.int64) < scores.columns.count
    part = tf.where(inside, scores.tile(first, blocks * BLOCK), _NOTHING)
    return tf.reshape(_mask(part, excluded - first), tf.stack([tf.shape(part)[0], blocks, BLOCK]))


def shares_of(masses: Tensor) -> Tensor:
    """Return the mass of each block over the largest of its row."""
    return tf.exp(masses - tf.reduce_max(masses, axis=1)[:, None])


def log_weights_of(block: Tensor, found: Tensor, columns: Columns, excluded: Tensor) -> Tensor:
    """Return the log-weights of one block of each row, float64 (rows, BLOCK)."""
    first = block[:, None] * BLOCK
    inside = first + tf.range(BLOCK, dtype=tf.int64) < columns.count
    found = tf.where(inside, found, _NOTHING)
    return tf.cast(_mask(found, excluded - first), tf.float64)


def _has_nan(masses: Tensor) -> Tensor:
    """Return which lines hold NaN."""
    return tf.reduce_any(tf.math.is_nan(masses), axis=1)


def _stuck(masses: Tensor) -> Tensor:
    """Return 0 for rows that have nothing to draw from the start, -1 for others."""
    nothing = tf.equal(tf.reduce_max(masses, axis=1), _NOTHING)
    return tf.where(nothing, tf.constant(0, tf.int64), -1)


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
    threshold = _thresholds(words, sums[:, -1])
    return tf.reduce_sum(tf.cast(sums <= threshold[:, None], tf.int64), axis=1)


def _thresholds(words: Tensor, totals: Tensor) -> Tensor:
    """Return u * total, with the uniform number u = (word + 1/2) / 2**32."""
    return (tf.cast(words, tf.float64) + 0.5) * 2.0**-32 * totals


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
