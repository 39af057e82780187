"""Draws in proportion to exp(alpha * score), without ever holding all scores.

Two-level inversion. Pass 1 goes over the columns tile by tile and keeps one number a block of 128:
the logarithm of its mass, the sum of exp(alpha * score) over its admissible columns. A draw then
picks a block from the masses by the first word, has the block's scores computed again, and picks
the column by the second.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from negsamp import validation
from negsamp.stream import NEGATIVES, Stream
from negsamp_numpy.rows import Excluded, Integers, Rows
from negsamp_numpy.scores import BLOCK, Scores

__all__ = ["draw"]

Doubles = npt.NDArray[np.float64]


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

    `excluded` holds columns; `tile` is the number of columns worked off at once.
    """
    rows.check_enough(excluded, num_negatives, replacement, scores.width)
    masses = block_masses(scores, excluded, alpha, tile)
    if np.isnan(masses).any():
        wrong = int(np.isnan(masses).any(axis=1).argmax())
        raise validation.invalid_score(int(rows.numbers[wrong]), rows.shape)
    words = stream.words(
        NEGATIVES, rows.numbers[:, None] * num_negatives + np.arange(num_negatives)
    )
    row = np.arange(len(rows))
    drawn = np.empty((len(rows), num_negatives), dtype=np.int64)
    log_weights = np.empty((len(rows), num_negatives))
    total = None
    for j in range(num_negatives):
        highest = masses.max(axis=1, keepdims=True)
        if np.isneginf(highest).any():
            empty = int(np.isneginf(highest).argmax())
            raise validation.no_finite_score(int(rows.numbers[empty]), rows.shape, j)
        shares = np.exp(masses - highest)
        total = highest[:, 0] + np.log(shares.sum(axis=1)) if total is None else total
        block = pick(shares, words[0][:, j])
        inside = log_weights_of(block, scores, excluded, alpha)
        place = pick(np.exp(inside - inside.max(axis=1, keepdims=True)), words[1][:, j])
        drawn[:, j], log_weights[:, j] = block * BLOCK + place, inside[row, place]
        if not replacement:
            excluded = excluded.adding(drawn[:, j])
            inside[row, place] = -np.inf
            masses[row, block] = log_sum_exp(inside)
    log_q = log_weights - (0.0 if total is None else total[:, None])
    return drawn, np.minimum(log_q, 0.0)  # the scores of the two passes differ by rounding


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


def log_weights_of(block: Integers, scores: Scores, excluded: Excluded, alpha: float) -> Doubles:
    """Return alpha * score of one block of each row, (rows, BLOCK), -inf where excluded."""
    log_weights = alpha * scores.blocks(block).astype(np.float64)
    rows = excluded.rows
    inside = excluded.places // BLOCK == block[rows]
    log_weights[rows[inside], excluded.places[inside] % BLOCK] = -np.inf
    return log_weights


def log_sum_exp(scores: npt.NDArray[np.floating], alpha: float = 1.0) -> Doubles:
    """Return log sum exp(alpha * scores) over the last axis, shifted by its own maximum."""
    highest = scores.max(axis=-1)
    shift = np.where(np.isneginf(highest), 0, highest).astype(scores.dtype)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        weights = np.exp((scores - shift[..., None]) * scores.dtype.type(alpha))
        masses: Doubles = np.log(weights.sum(axis=-1, dtype=np.float64))
        return alpha * shift.astype(np.float64) + masses


def pick(weights: Doubles, words: Integers) -> Integers:
    """Return for each line the first index whose running sum exceeds (word + 1/2) / 2**32."""
    sums = np.cumsum(weights, axis=1)
    threshold = (words + 0.5) * 2.0**-32 * sums[:, -1]
    index: Integers = (sums <= threshold[:, None]).sum(axis=1)
    return index
