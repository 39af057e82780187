"""Draws in proportion to exp(alpha * score), without a matrix of all scores.

Two-level inversion of the CDF. Pass 1 goes over the columns tile by tile and keeps one number per
block of 128: the logarithm of its mass, the sum of exp(alpha * score) over its admissible columns.
A draw then picks a block in proportion to the masses by its first word, computes the block's scores
again, and picks a column of it by its second word. The product of the two probabilities is the
law: (mass / total) * (exp(alpha * score) / mass).

With replacement all draws pick their blocks before any score is computed again, so that a callable
is called once per distinct block. Without, the mass of the block drawn from is updated after each
draw.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from negsamp import validation
from negsamp.blocks import BLOCK
from negsamp.stream import NEGATIVES, Stream
from negsamp_numpy.rows import Excluded, Integers, Rows
from negsamp_numpy.scores import Floats, Scores

__all__ = ["draw"]

Doubles = npt.NDArray[np.float64]

MASSES_AT_ONCE = 1 << 18
"""Block masses that are copied at once, 2 MiB: with a callable there are those of all rows."""


def draw(
    rows: Rows,
    excluded: Excluded,
    scores: Scores,
    alpha: float,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    tile: int,
) -> tuple[Integers, Doubles]:
    """Return columns and log-probabilities, both of shape (rows, num_negatives).

    `excluded` holds columns; `tile` is the number of columns processed at once.
    """
    rows.check_enough(excluded, num_negatives, replacement, scores.width)
    masses = block_masses(scores, excluded, alpha, tile)
    high, low = stream.words(
        NEGATIVES, rows.numbers[:, None] * num_negatives + np.arange(num_negatives)
    )
    drawn = np.empty((len(rows), num_negatives), dtype=np.int64)
    log_weights = np.empty((len(rows), num_negatives))
    total = None
    at_once = num_negatives if replacement else 1
    for first in range(0, num_negatives, at_once):
        highest = masses.max(axis=1)
        check_highest(highest, rows, first)
        blocks, log_sums = pick_blocks(masses, highest, high[:, first : first + at_once])
        total = log_sums if total is None else total
        for row, draw, found in scores.blocks(blocks):
            block, j = blocks[row, draw], first + draw
            inside = log_weights_of(found, row, block, excluded, alpha)
            place = pick(np.exp(inside - inside.max(axis=1, keepdims=True)), low[row, j])
            index = np.arange(len(row))
            drawn[row, j], log_weights[row, j] = block * BLOCK + place, inside[index, place]
            if not replacement:
                inside[index, place] = -np.inf
                masses[row, block] = log_sum_exp(inside)
        if not replacement:
            excluded = excluded.adding(drawn[:, first])
    log_q = log_weights - (0.0 if total is None else total[:, None])
    return drawn, np.minimum(log_q, 0.0)  # scores of the two passes may differ by rounding


def block_masses(scores: Scores, excluded: Excluded, alpha: float, tile: int) -> Doubles:
    """Return log sum exp(alpha * score) of each block, (rows, blocks); NaN for a bad score."""
    num_rows = len(excluded.offsets) - 1
    masses = np.empty((num_rows, -(-scores.width // BLOCK)))
    tile = -(-tile // BLOCK) * BLOCK
    excluded_rows = excluded.rows
    for first in range(0, scores.width, tile):
        last = min(first + tile, scores.width)
        inside = (excluded.places >= first) & (excluded.places < last)
        part = np.full((num_rows, -(-(last - first) // BLOCK) * BLOCK), -np.inf, np.float32)
        part[:, : last - first] = scores.tile(first, last)
        part[excluded_rows[inside], excluded.places[inside] - first] = -np.inf
        blocks = part.reshape(num_rows, -1, BLOCK)
        masses[:, first // BLOCK : first // BLOCK + blocks.shape[1]] = log_sum_exp(blocks, alpha)
    return masses


def check_highest(highest: Doubles, rows: Rows, drawn: int) -> None:
    """Raise if the largest mass of a row is NaN (a bad score) or -inf (nothing left to draw)."""
    if np.isnan(highest).any():
        wrong = int(np.isnan(highest).argmax())
        raise validation.invalid_score(int(rows.numbers[wrong]), rows.shape)
    if np.isneginf(highest).any():
        empty = int(np.isneginf(highest).argmax())
        raise validation.no_finite_score(int(rows.numbers[empty]), rows.shape, drawn)


def pick_blocks(masses: Doubles, highest: Doubles, words: Integers) -> tuple[Integers, Doubles]:
    """Return the blocks that (rows, draws) words pick, and the log of each row's total mass."""
    blocks, log_sums = np.empty(words.shape, dtype=np.int64), np.empty(len(masses))
    step = max(MASSES_AT_ONCE // masses.shape[1], 1)
    for first in range(0, len(masses), step):
        some = slice(first, first + step)
        shares = np.exp(masses[some] - highest[some, None])
        log_sums[some] = highest[some] + np.log(shares.sum(axis=1))
        for j in range(words.shape[1]):
            blocks[some, j] = pick(shares, words[some, j])
    return blocks, log_sums


def log_weights_of(
    scores: Floats, row: Integers, block: Integers, excluded: Excluded, alpha: float
) -> Doubles:
    """Return alpha * score in the block of each draw, (draws, BLOCK); -inf where excluded."""
    log_weights = alpha * scores.astype(np.float64)
    log_weights[excluded.inside(row, block * BLOCK, BLOCK)] = -np.inf
    return log_weights


def log_sum_exp(scores: npt.NDArray[np.floating], alpha: float = 1.0) -> Doubles:
    """Return log sum exp(alpha * scores) over the last axis, shifted by the maximum."""
    highest = scores.max(axis=-1)
    shift = np.where(np.isneginf(highest), 0, highest).astype(scores.dtype)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        weights = np.exp((scores - shift[..., None]) * scores.dtype.type(alpha))
        masses: Doubles = np.log(weights.sum(axis=-1, dtype=np.float64))
        return alpha * shift.astype(np.float64) + masses


def pick(weights: Doubles, words: Integers) -> Integers:
    """Return for each line the first index whose running sum exceeds u * total.

    The uniform number u is (word + 1/2) / 2**32.
    """
    sums = np.cumsum(weights, axis=1)
    threshold = (words + 0.5) * 2.0**-32 * sums[:, -1]
    index: Integers = (sums <= threshold[:, None]).sum(axis=1)
    return index
