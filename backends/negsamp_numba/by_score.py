"""Draws in proportion to exp(alpha * score): the two-level inversion of the reference.

Pass 1 computes scores tile by tile, by BLAS or a callable, into a buffer that fits the cache; a
compiled pass over the tile masks excluded columns and stores the mass of each block of 128 columns,
the sum of 2 ** (factor * score) with factor = alpha / ln 2. A draw then takes two words. The first
picks a block in proportion to the masses, and the second a column of the block. Its scores are
computed again, once for all draws of a row from that block, unless all columns fitted into one
tile.

Where exponents are bounded by `SAFE_EXPONENT` they are not shifted; else each block is shifted by
its highest score. Without replacement the mass of the block is updated after each draw.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from negsamp import row_errors
from negsamp.blocks import BLOCK
from negsamp.stream import NEGATIVES, Stream
from negsamp_numba.columns import Columns, insert_column
from negsamp_numba.compiling import kernel, part
from negsamp_numba.embeddings import Floats
from negsamp_numba.philox import CounterBase, Words, counter_base, unit, words_of_draws
from negsamp_numba.power import highest_of, mass_of, power_of_two
from negsamp_numba.rows import Integers, Rows
from negsamp_numba.scores import HeldScores, Scores
from negsamp_numba.search import first_above

__all__ = ["SAFE_EXPONENT", "draw"]

Doubles = npt.NDArray[np.float64]

SAFE_EXPONENT = 100.0
"""Bound on exponents without a shift: 2**24 powers of at most 2**100 sum to less than 2**128."""

_FINE, _INVALID, _NOTHING = 0, 1, 2


class Masses(NamedTuple):
    """The mass of each block: mass * 2**(factor * shift) is its sum of exp(alpha * score).

    Attributes
    ----------
    masses : float32, shape (rows, blocks)
        NaN where a score is NaN or +inf.
    shifts : float32, shape (rows, blocks)
        The highest score of the block, or 0 if no score can overflow.
    """

    masses: Floats
    shifts: Floats


class Groups(NamedTuple):
    """The draws grouped by row and block. A draw is a flat index into (draws, rows).

    Attributes
    ----------
    rows, blocks : int64, shape (groups,)
        Row and block of each group, ordered by row and first draw.
    first : int64, shape (groups,)
        First draw of each group.
    following : int64, shape (draws * rows,)
        The next draw of the same group, or -1: a linked list for each group.
    """

    rows: Integers
    blocks: Integers
    first: Integers
    following: Integers


class Totals(NamedTuple):
    """The sum over all blocks of each row: Z = sum * 2**(factor * shift).

    Attributes
    ----------
    shifts : float32, shape (rows,)
        The highest shift of a block that has a mass.
    logs : float64, shape (rows,)
        Natural logarithm of the sum.
    """

    shifts: Floats
    logs: Doubles


def draw(
    rows: Rows,
    excluded: Columns,
    scores: Scores,
    alpha: float,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    tile: Floats,
    preselected: bool,
) -> tuple[Integers, Floats]:
    """Return columns and log-probabilities, both of shape (rows, num_negatives).

    `excluded` holds columns; `tile` is the workspace for scores, and its size decides how many
    columns are processed at once. `preselected` says, for errors, if columns are candidates.
    """
    num_rows = len(rows)
    least = 1 if replacement else num_negatives
    _check_enough(rows, scores.width - excluded.length, least, scores.width, preselected)
    with np.errstate(over="ignore", invalid="ignore"):  # masses show what overflows
        factor = np.float32(alpha / math.log(2))
        shifted = not scores.bound() * factor < SAFE_EXPONENT
    masses, part = _masses_of(scores, excluded, factor, shifted, tile, num_rows)
    source = scores if part.shape[1] < scores.width else HeldScores(part)
    high, low = _words(counter_base(stream, NEGATIVES), rows.numbers, num_negatives)
    totals = Totals(np.empty(num_rows, np.float32), np.full(num_rows, np.nan))
    columns = np.empty((num_negatives, num_rows), np.int64)
    log_q = np.empty((num_negatives, num_rows), np.float32)
    at_once = num_negatives if replacement else 1
    block = np.empty((at_once, num_rows), np.int64)
    memory = np.empty((num_rows, BLOCK), np.float32)
    for first in range(0, num_negatives, at_once):
        some = slice(first, first + at_once)
        row, problem = _pick_blocks(masses, factor, high[some], totals, block)
        if problem == _INVALID:
            raise row_errors.invalid_score(int(rows.numbers[row]), rows.shape)
        if problem == _NOTHING:
            raise row_errors.no_finite_score(int(rows.numbers[row]), rows.shape, first)
        drawn, logs = columns[some].reshape(-1), log_q[some].reshape(-1)
        words, groups = low[some].reshape(-1), _group(block, masses.masses.shape[1])
        for numbers, inside in source.blocks(groups.rows, groups.blocks, memory):
            row = _pick_columns(
                numbers, inside, groups, excluded, alpha, factor, words, totals, drawn, logs
            )
            if row >= 0:
                raise row_errors.changed_score(int(rows.numbers[row]), rows.shape)
            if not replacement:
                _exclude(numbers, inside, groups, drawn, excluded, factor, shifted, masses)
    return columns.T, log_q.T


def _check_enough(
    rows: Rows, admissible: Integers, least: int, width: int, preselected: bool
) -> None:
    short = admissible < least
    if short.any():
        row = int(short.argmax())
        raise row_errors.few_negatives(
            int(rows.numbers[row]), rows.shape, int(admissible[row]), least, width, preselected
        )


def _masses_of(
    scores: Scores,
    excluded: Columns,
    factor: np.float32,
    shifted: bool,
    tile: Floats,
    num_rows: int,
) -> tuple[Masses, Floats]:
    """Compute the block masses tile by tile; also return the last tile, which may be the only."""
    num_blocks = -(-scores.width // BLOCK)
    step = min(max(tile.size // num_rows // BLOCK, 1), num_blocks) * BLOCK
    part = tile[: num_rows * step].reshape(num_rows, step)
    shape = num_rows, num_blocks
    masses = Masses(np.empty(shape, np.float32), np.zeros(shape, np.float32))
    cursor = excluded.first.copy()
    for first in range(0, scores.width, step):
        inside = min(step, scores.width - first)
        scores.tile(first, first + inside, part[:, :inside])
        _sum_blocks(part, inside, first, excluded, cursor, factor, shifted, masses)
    return masses, part


@kernel
def _sum_blocks(
    tile: Floats,
    inside: int,
    first: int,
    excluded: Columns,
    cursor: Integers,
    factor: np.float32,
    shifted: bool,
    masses: Masses,
) -> None:
    """Mask and sum the blocks of a tile of which the first `inside` columns are scores.

    `cursor` is the next element of each row's list of exclusions; it advances with the tiles.
    """
    num_blocks = (inside + BLOCK - 1) // BLOCK
    for row in range(len(tile)):
        line = tile[row]
        line[inside : num_blocks * BLOCK] = -np.inf
        at, end = cursor[row], excluded.first[row] + excluded.length[row]
        while at < end and excluded.columns[at] < first + inside:
            line[excluded.columns[at] - first] = -np.inf
            at += 1
        cursor[row] = at
        for block in range(num_blocks):
            scores = line[block * BLOCK : (block + 1) * BLOCK]
            shift = highest_of(scores) if shifted else np.float32(0)
            masses.masses[row, first // BLOCK + block] = mass_of(scores, shift, factor)
            masses.shifts[row, first // BLOCK + block] = shift


@kernel
def _words(base: CounterBase, numbers: Integers, num_negatives: int) -> tuple[Words, Words]:
    """Return the two words of each draw of each row, (num_negatives, rows)."""
    shape = num_negatives, len(numbers)
    high, low = np.empty(shape, np.uint64), np.empty(shape, np.uint64)
    of_row = np.empty(num_negatives + 2, np.uint64), np.empty(num_negatives + 2, np.uint64)
    for row in range(len(numbers)):
        first = numbers[row] * num_negatives
        word = words_of_draws(base, first, num_negatives, of_row[0], of_row[1])
        high[:, row] = of_row[0][word : word + num_negatives]
        low[:, row] = of_row[1][word : word + num_negatives]
    return high, low


@kernel
def _pick_blocks(
    masses: Masses, factor: np.float32, words: Words, totals: Totals, block: Integers
) -> tuple[int, int]:
    """Pick blocks for (draws, rows) words, stopping at the first row with an error.

    Returns that row and its error code. Totals are filled in only while they are NaN, that is at
    the first draw, whose law log_q is.
    """
    shares = np.empty(masses.masses.shape[1], np.float64)
    for row in range(block.shape[1]):
        mass, shift = masses.masses[row], masses.shifts[row]
        highest = np.float32(-np.inf)
        for index in range(len(mass)):
            if np.isnan(mass[index]):
                return row, _INVALID
            if mass[index] > 0:
                highest = max(highest, shift[index])
        if highest == -np.inf:
            return row, _NOTHING
        for index in range(len(mass)):
            lower = min(shift[index], highest)  # the shift of a block without mass may be above
            power = power_of_two((lower - highest) * factor)
            shares[index] = np.float64(mass[index]) * np.float64(power)
        total = _running_sums(shares)
        if np.isnan(totals.logs[row]):
            totals.shifts[row], totals.logs[row] = highest, math.log(total)
        for draw in range(len(block)):
            threshold = unit(words[draw, row]) * total
            block[draw, row] = first_above(shares, 0, len(shares) - 1, threshold)
    return 0, _FINE


@kernel
def _group(block: Integers, num_blocks: int) -> Groups:
    """Group draws that picked the same block; `block` is (draws, rows)."""
    num_draws, num_rows = block.shape
    rows, blocks = np.empty(block.size, np.int64), np.empty(block.size, np.int64)
    first, following = np.empty(block.size, np.int64), np.full(block.size, -1)
    last = np.full(num_blocks, -1)  # draw that picked the block
    count = 0
    for row in range(num_rows):
        for draw in range(num_draws):
            place, picked = draw * num_rows + row, block[draw, row]
            before = last[picked]
            if before >= 0 and before % num_rows == row:
                following[before] = place
            else:
                rows[count], blocks[count], first[count] = row, picked, place
                count += 1
            last[picked] = place
    return Groups(rows[:count], blocks[:count], first[:count], following)


@kernel
def _pick_columns(
    numbers: Integers,
    inside: Floats,
    groups: Groups,
    excluded: Columns,
    alpha: float,
    factor: np.float32,
    words: Words,
    totals: Totals,
    columns: Integers,
    log_q: Floats,
) -> int:
    """Pick a column for each draw of some groups, whose block has the scores in `inside`.

    Returns -1, or a row whose block has NaN or nothing to pick, unlike in pass 1.
    """
    weights = np.empty(BLOCK, np.float64)
    for index in range(len(numbers)):
        row = groups.rows[numbers[index]]
        line, first = inside[index], groups.blocks[numbers[index]] * BLOCK
        at = excluded.first[row]
        end = at + excluded.length[row]
        at = first_above(excluded.columns, at, end, first - 1)
        while at < end and excluded.columns[at] < first + BLOCK:
            line[excluded.columns[at] - first] = -np.inf
            at += 1
        shift = highest_of(line)
        for column in range(BLOCK):
            weights[column] = power_of_two((line[column] - shift) * factor)
        total = _running_sums(weights)
        if not total > 0:
            return int(row)
        draw = groups.first[numbers[index]]
        while draw >= 0:
            threshold = unit(words[draw]) * total
            place = first_above(weights, 0, BLOCK - 1, threshold)  # the last always exceeds it
            columns[draw] = first + place
            higher = np.float64(line[place]) - np.float64(totals.shifts[row])
            log_q[draw] = min(alpha * higher - totals.logs[row], 0.0)
            draw = groups.following[draw]
    return -1


@kernel
def _exclude(
    numbers: Integers,
    inside: Floats,
    groups: Groups,
    columns: Integers,
    excluded: Columns,
    factor: np.float32,
    shifted: bool,
    masses: Masses,
) -> None:
    """Exclude what the rows of some groups have drawn, and sum their blocks again."""
    for index in range(len(numbers)):
        row, block, line = groups.rows[numbers[index]], groups.blocks[numbers[index]], inside[index]
        insert_column(excluded, row, columns[row])
        line[columns[row] - block * BLOCK] = -np.inf
        shift = highest_of(line) if shifted else np.float32(0)
        masses.masses[row, block] = mass_of(line, shift, factor)
        masses.shifts[row, block] = shift


@part()
def _running_sums(weights: Doubles) -> float:
    """Replace weights by their prefix sums, and return the total."""
    total = 0.0
    for index in range(len(weights)):
        total += weights[index]
        weights[index] = total
    return total
