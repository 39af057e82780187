"""Draws in proportion to exp(alpha * score), without a matrix of all scores.

Two-level inversion of the CDF. Pass 1 goes over the columns tile by tile and keeps the mass of each
block of 128, the sum of exp(alpha * score) over its admissible columns, as a shift and a sum. A
draw then picks a block in proportion to the masses by its first word, computes the block's scores
again, and picks a column of it by its second word. The product of the two probabilities is the
law: (mass / total) * (exp(alpha * score) / mass).

With replacement all draws pick their blocks before any score is computed again, so that a callable
is called once per distinct block. Without, the mass of the block drawn from is updated after each
draw.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from negsamp import row_errors
from negsamp.blocks import BLOCK
from negsamp.stream import NEGATIVES, Stream
from negsamp_numpy.rows import Excluded, Integers, Rows
from negsamp_numpy.scores import Floats, Scores

__all__ = ["draw"]

Doubles = npt.NDArray[np.float64]

MASSES_AT_ONCE = 1 << 18
"""Block masses that are copied at once, 2 MiB: with a callable there are those of all rows."""


class Masses(NamedTuple):
    """The mass of each block: sum * exp(alpha * shift) is its sum of exp(alpha * score).

    One logarithm for both would round off the sums where alpha times the score is large.

    Attributes
    ----------
    shifts : float32, shape (rows, blocks)
        The highest score of the block, which is NaN or +inf for a bad score.
    sums : float32, shape (rows, blocks)
    """

    shifts: Floats
    sums: Floats


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
    drawn_scores = np.empty((len(rows), num_negatives))
    top, log_total = np.empty(len(rows)), np.empty(len(rows))
    at_once = num_negatives if replacement else 1
    for first in range(0, num_negatives, at_once):
        highest = masses.shifts.max(axis=1).astype(np.float64)
        check_highest(highest, rows, first)
        words = high[:, first : first + at_once]
        blocks, log_sums = pick_blocks(masses, highest, alpha, words)
        if first == 0:
            top, log_total = highest, log_sums
        for row, draw, found in scores.blocks(blocks):
            block, j = blocks[row, draw], first + draw
            inside = admissible_scores(found, row, block, excluded)
            shift = inside.max(axis=1)
            check_again(shift, row, rows)
            place = pick(np.exp(alpha * (inside - shift[:, None])), low[row, j])
            index = np.arange(len(row))
            drawn[row, j], drawn_scores[row, j] = block * BLOCK + place, inside[index, place]
            if not replacement:
                inside[index, place] = -np.inf
                masses.shifts[row, block], masses.sums[row, block] = sum_exp(inside, alpha)
        if not replacement:
            excluded = excluded.adding(drawn[:, first])
    log_q = alpha * (drawn_scores - top[:, None]) - log_total[:, None]
    return drawn, np.minimum(log_q, 0.0)  # scores of the two passes may differ by rounding


def block_masses(scores: Scores, excluded: Excluded, alpha: float, tile: int) -> Masses:
    """Return the masses of all blocks of each row."""
    num_rows = len(excluded.offsets) - 1
    shape = num_rows, -(-scores.width // BLOCK)
    masses = Masses(np.empty(shape, np.float32), np.empty(shape, np.float32))
    tile = -(-tile // BLOCK) * BLOCK
    excluded_rows = excluded.rows
    for first in range(0, scores.width, tile):
        last = min(first + tile, scores.width)
        inside = (excluded.places >= first) & (excluded.places < last)
        part = np.full((num_rows, -(-(last - first) // BLOCK) * BLOCK), -np.inf, np.float32)
        part[:, : last - first] = scores.tile(first, last)
        part[excluded_rows[inside], excluded.places[inside] - first] = -np.inf
        blocks = part.reshape(num_rows, -1, BLOCK)
        some = slice(first // BLOCK, first // BLOCK + blocks.shape[1])
        masses.shifts[:, some], masses.sums[:, some] = sum_exp(blocks, alpha)
    return masses


def check_highest(highest: Doubles, rows: Rows, drawn: int) -> None:
    """Raise if the highest score of a row is NaN or +inf, or -inf (nothing left to draw)."""
    invalid = ~(highest < np.inf)
    if invalid.any():
        wrong = int(invalid.argmax())
        raise row_errors.invalid_score(int(rows.numbers[wrong]), rows.shape)
    if np.isneginf(highest).any():
        empty = int(np.isneginf(highest).argmax())
        raise row_errors.no_finite_score(int(rows.numbers[empty]), rows.shape, drawn)


def check_again(highest: Doubles, row: Integers, rows: Rows) -> None:
    """Raise if the highest score of a block of some rows is not finite, unlike in pass 1."""
    changed = ~np.isfinite(highest)
    if changed.any():
        raise row_errors.changed_score(int(rows.numbers[row[changed.argmax()]]), rows.shape)


def pick_blocks(
    masses: Masses, highest: Doubles, alpha: float, words: Integers
) -> tuple[Integers, Doubles]:
    """Return the blocks that (rows, draws) words pick, and the log of each row's total mass.

    The total is relative to that of the highest score.
    """
    num_rows, num_blocks = masses.shifts.shape
    blocks, log_sums = np.empty(words.shape, dtype=np.int64), np.empty(num_rows)
    step = max(MASSES_AT_ONCE // num_blocks, 1)
    for first in range(0, num_rows, step):
        some = slice(first, first + step)
        shares: Doubles = np.exp(alpha * (masses.shifts[some] - highest[some, None]))
        shares *= masses.sums[some]
        log_sums[some] = np.log(shares.sum(axis=1))
        for j in range(words.shape[1]):
            blocks[some, j] = pick(shares, words[some, j])
    return blocks, log_sums


def admissible_scores(
    scores: Floats, row: Integers, block: Integers, excluded: Excluded
) -> Doubles:
    """Return the scores in the block of each draw, (draws, BLOCK); -inf where excluded."""
    admissible = scores.astype(np.float64)
    admissible[excluded.inside(row, block * BLOCK, BLOCK)] = -np.inf
    return admissible


def sum_exp(
    scores: npt.NDArray[np.floating], alpha: float
) -> tuple[npt.NDArray[np.floating], Doubles]:
    """Return the highest score over the last axis, and sum exp(alpha * (score - highest))."""
    highest = scores.max(axis=-1)
    shift = np.where(np.isneginf(highest), 0, highest).astype(scores.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        weights = np.exp((scores - shift[..., None]) * scores.dtype.type(alpha))
    return highest, weights.sum(axis=-1, dtype=np.float64)


def pick(weights: Doubles, words: Integers) -> Integers:
    """Return for each line the first index whose running sum exceeds u * total.

    The uniform number u is (word + 1/2) / 2**32.
    """
    sums = np.cumsum(weights, axis=1)
    threshold = (words + 0.5) * 2.0**-32 * sums[:, -1]
    index: Integers = (sums <= threshold[:, None]).sum(axis=1)
    return index
