"""Draws in proportion to exp(alpha * score): the two-level inversion of the reference.

Pass 1 computes scores tile by tile and keeps the mass of each block, the sum over its 128 columns,
as a shift and a sum. A draw picks a block in proportion to the masses by its first word, computes
the scores of the block again, and picks a column by its second. Nothing raises here: errors are
recorded per row, since a graph cannot raise.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import tensorflow as tf
from tensorflow import Tensor

from negsamp.blocks import BLOCK
from negsamp_tensorflow.bisection import bisect, count_up_to
from negsamp_tensorflow.candidates import Columns
from negsamp_tensorflow.draws import CHANGED_SCORE, INVALID_SCORE, NO_SCORE, TOO_FEW, Draws
from negsamp_tensorflow.scores import CalledScores, Scores

__all__ = ["draw"]

_NOTHING: Final = -math.inf


class Masses(NamedTuple):
    """The mass of each block: sum * exp(shift) is its sum of exp(alpha * score).

    One logarithm for both would round off the sums where alpha times the score is large.

    Attributes
    ----------
    shifts : float32, shape (rows, blocks)
        The highest log-weight of the block, -inf if it has no mass.
    sums : float32, shape (rows, blocks)
        NaN for a bad score.
    """

    shifts: Tensor
    sums: Tensor

    @property
    def highest(self) -> Tensor:
        """The highest shift of each row, float64."""
        return tf.cast(tf.reduce_max(self.shifts, axis=1), tf.float64)

    @property
    def shares(self) -> Tensor:
        """The masses in units of exp(highest), float64."""
        higher = tf.cast(self.shifts, tf.float64) - self.highest[:, None]
        return tf.cast(self.sums, tf.float64) * tf.exp(higher)

    def log_q(self, log_weights: Tensor, shares: Tensor) -> Tensor:
        """Return log-weights of the rows less the log of their total; `shares` are these masses'.

        The highest is subtracted first: one logarithm of the total would round off the shares.
        """
        log_sums = tf.math.log(tf.reduce_sum(shares, axis=1))
        return log_weights - self.highest[:, None] - log_sums[:, None]

    @property
    def invalid(self) -> Tensor:
        """Which rows have a score that is NaN or +inf."""
        return tf.reduce_any(tf.math.is_nan(self.sums), axis=1)

    @property
    def stuck(self) -> Tensor:
        """0 for rows that have nothing to draw from the start, -1 for others."""
        nothing = tf.equal(self.highest, _NOTHING)
        return tf.where(nothing, tf.constant(0, tf.int64), -1)


class _Picked(NamedTuple):
    """Draws as columns, and what may be wrong with them.

    Attributes
    ----------
    columns : int64, shape (rows, draws)
    log_q : float64, shape (rows, draws)
    invalid : bool, shape (rows,)
        Whether a score is NaN or +inf.
    stuck : int64, shape (rows,)
        The draw that found nothing left, or -1.
    """

    columns: Tensor
    log_q: Tensor
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
    log_q = tf.cast(tf.minimum(picked.log_q, 0.0), tf.float32)
    draws = Draws(picked.columns, log_q, tf.zeros_like(picked.stuck, tf.int32), admissible)
    return (
        draws.with_problem(CHANGED_SCORE, tf.reduce_any(tf.math.is_nan(log_q), axis=1))
        .with_problem(NO_SCORE, picked.stuck >= 0, picked.stuck)
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
    masses = Masses(*sum_exp(log_weights))
    shares, high, low = masses.shares, words[:, :, 0], words[:, :, 1]
    running = tf.cumsum(shares, axis=1)
    block = tf.minimum(count_up_to(running, _thresholds(high, running[:, -1:])), blocks - 1)
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
    log_q = masses.log_q(log_weight, shares)
    return _Picked(block * BLOCK + place - start, log_q, masses.invalid, masses.stuck)


def _block_by_block(scores: CalledScores, excluded: Tensor, words: Tensor, tile: int) -> _Picked:
    """Draw with replacement, calling once per distinct block for all draws from it."""
    masses = block_masses(scores, excluded, tile)
    shares, high, low = masses.shares, words[:, :, 0], words[:, :, 1]
    running = tf.cumsum(shares, axis=1)
    none = tf.constant(-(-scores.columns.width // BLOCK), tf.int64)
    block = tf.minimum(count_up_to(running, _thresholds(high, running[:, -1:])), none - 1)

    def step(wanted: Tensor, drawn: Tensor, logs: Tensor) -> tuple[Tensor, ...]:
        found = scores.tile(wanted * BLOCK, BLOCK)
        each_row = tf.fill(tf.shape(found)[:1], wanted)
        inside = log_weights_of(each_row, found, scores.columns, excluded)
        highest = tf.reduce_max(inside, axis=1)
        sums = tf.cumsum(tf.exp(inside - highest[:, None]), axis=1)
        place = count_up_to(sums, _thresholds(low, sums[:, -1:]))
        place = tf.minimum(place, BLOCK - 1)  # NaN sums exceed no threshold
        here = tf.equal(block, wanted)
        drawn = tf.where(here, wanted * BLOCK + place, drawn)
        log_weight = tf.gather(inside, place, axis=1, batch_dims=1)
        logs = tf.where(here, _if_finite(highest[:, None], log_weight), logs)
        return tf.reduce_min(tf.where(block > wanted, block, none)), drawn, logs

    start = tf.reduce_min(block), block, tf.zeros_like(block, tf.float64)
    _, drawn, logs = tf.while_loop(lambda wanted, *_: wanted < none, step, start)
    return _Picked(drawn, masses.log_q(logs, shares), masses.invalid, masses.stuck)


def _one_by_one(
    scores: Scores, excluded: Tensor, words: Tensor, replacement: bool, tile: int
) -> _Picked:
    """Draw one negative of all rows after another, computing its block again."""
    num_negatives = int(words.shape[1])
    masses = before = block_masses(scores, excluded, tile)
    shares = before.shares

    def step(
        j: Tensor, excluded: Tensor, masses: Masses, drawn: Tensor, logs: Tensor, stuck: Tensor
    ) -> tuple[Any, ...]:
        stuck = tf.where((stuck < 0) & (masses.stuck == 0), tf.cast(j, tf.int64), stuck)
        block = pick(shares if replacement else masses.shares, words[:, j, 0])
        inside = log_weights_of(block, scores.blocks(block), scores.columns, excluded)
        highest = tf.reduce_max(inside, axis=1)
        place = pick(tf.exp(inside - highest[:, None]), words[:, j, 1])
        column = block * BLOCK + place
        own = tf.range(num_negatives) == j
        log_weight = _if_finite(highest, tf.gather(inside, place, axis=1, batch_dims=1))
        drawn = tf.where(own, column[:, None], drawn)
        logs = tf.where(own, log_weight[:, None], logs)
        if not replacement:
            excluded = tf.concat([excluded[:, 1:], column[:, None]], axis=1)
            left = sum_exp(_mask(inside, place[:, None]))
            index = tf.stack([tf.range(tf.shape(block, tf.int64)[0]), block], axis=1)
            masses = Masses(
                *(
                    tf.tensor_scatter_nd_update(each, index, tf.cast(now, tf.float32))
                    for each, now in zip(masses, left, strict=True)
                )
            )
        return j + 1, excluded, masses, drawn, logs, stuck

    if not replacement:
        excluded = tf.pad(excluded, [[0, 0], [num_negatives, 0]], constant_values=-1)
    nothing = tf.zeros_like(words[:, :, 0])
    start = (excluded, masses, nothing, tf.cast(nothing, tf.float64), nothing[:, 0] - 1)
    _, _, masses, drawn, logs, stuck = tf.while_loop(
        lambda j, *_: j < num_negatives, step, (tf.constant(0), *start)
    )
    # a bad score that was drawn no longer shows in the masses after the draws
    return _Picked(drawn, before.log_q(logs, shares), before.invalid | masses.invalid, stuck)


def block_masses(scores: Scores, excluded: Tensor, tile: int) -> Masses:
    """Return the masses of all blocks of each row."""
    columns, num_rows = scores.columns, tf.shape(excluded)[0]
    blocks = min(-(-tile // BLOCK), -(-columns.width // BLOCK))
    size = blocks * BLOCK

    def of_tile(first: Tensor) -> tuple[Tensor, Tensor]:
        return sum_exp(_tile_of(scores, excluded, first, blocks))

    def nothing() -> tuple[Tensor, Tensor]:
        zeros = tf.zeros(tf.stack([num_rows, blocks]))
        return zeros + _NOTHING, zeros

    def of_tile_if_used(first: Tensor) -> Any:
        return tf.cond(first < columns.count, lambda: of_tile(first), nothing)

    each = tf.map_fn(
        of_tile_if_used if tf.is_tensor(columns.count) else of_tile,
        tf.range(0, columns.width, size, dtype=tf.int64),
        fn_output_signature=(tf.TensorSpec((excluded.shape[0], blocks), tf.float32),) * 2,
    )
    shape = tf.stack([num_rows, -1])
    return Masses(*(tf.reshape(tf.transpose(part, [1, 0, 2]), shape) for part in each))


def _tile_of(scores: Scores, excluded: Tensor, first: Tensor, blocks: int) -> Tensor:
    """Return log-weights from column `first` on, float32 (rows, blocks, BLOCK)."""
    inside = first + tf.range(blocks * BLOCK, dtype=tf.int64) < scores.columns.count
    part = tf.where(inside, scores.tile(first, blocks * BLOCK), _NOTHING)
    return tf.reshape(_mask(part, excluded - first), tf.stack([tf.shape(part)[0], blocks, BLOCK]))


def log_weights_of(block: Tensor, found: Tensor, columns: Columns, excluded: Tensor) -> Tensor:
    """Return the log-weights of one block of each row, float64 (rows, BLOCK)."""
    first = block[:, None] * BLOCK
    inside = first + tf.range(BLOCK, dtype=tf.int64) < columns.count
    found = tf.where(inside, found, _NOTHING)
    return tf.cast(_mask(found, excluded - first), tf.float64)


def sum_exp(log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the highest log-weight over the last axis, and sum exp(log_weight - highest)."""
    highest = tf.reduce_max(log_weights, axis=-1)
    shift = tf.where(tf.equal(highest, _NOTHING), tf.zeros_like(highest), highest)
    return highest, tf.reduce_sum(tf.exp(log_weights - shift[..., None]), axis=-1)


def pick(weights: Tensor, words: Tensor) -> Tensor:
    """Return for each line the first index whose running sum exceeds u * total.

    The uniform number u is (word + 1/2) / 2**32.
    """
    sums = tf.cumsum(weights, axis=1)
    threshold = _thresholds(words, sums[:, -1])
    return tf.reduce_sum(tf.cast(sums <= threshold[:, None], tf.int64), axis=1)


def _if_finite(highest: Tensor, log_weights: Tensor) -> Tensor:
    """Return log-weights, NaN where the highest of their block is not finite, unlike in pass 1."""
    return tf.where(tf.math.is_finite(highest), log_weights, tf.cast(math.nan, tf.float64))


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
