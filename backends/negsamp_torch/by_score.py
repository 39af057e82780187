"""Draws in proportion to exp(alpha * score): the two-level inversion of the reference, eager.

Scores are scaled by alpha / ln 2 to exponents of two. Pass 1 computes them tile by tile and keeps
the mass of each block of 128 columns, the sum of 2 ** exponent. A draw picks a block in proportion
to the masses by its first word, computes its scores again, and picks a column by its second. If a
bound on the exponents is below `SAFE_EXPONENT` no maximum is taken; else every block is shifted by
its own.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from negsamp import row_errors
from negsamp.blocks import BLOCK
from negsamp.stream import NEGATIVES, Stream
from negsamp_torch.rows import Excluded, Rows
from negsamp_torch.scores import Scores, factor_of

__all__ = ["draw"]

SAFE_EXPONENT = 100.0
"""Bound on exponents without a shift: 2**24 powers of at most 2**100 sum to less than 2**128."""

MASSES_AT_ONCE = 1 << 18
"""Block masses that are copied at once, 2 MiB: with a callable there are those of all rows."""


class Masses(NamedTuple):
    """The mass of each block: sum * 2 ** shift is its sum of 2 ** exponent.

    One logarithm for both would round off the sums where exponents are large.

    Attributes
    ----------
    shifts : float32, shape (rows, blocks)
        The highest exponent of the block, NaN or +inf for a bad score, or 0 if no exponent can
        overflow; -inf if the block has no mass.
    sums : float32, shape (rows, blocks)
    """

    shifts: Tensor
    sums: Tensor

    @property
    def highest(self) -> Tensor:
        """The highest shift of each row, float64."""
        return self.shifts.amax(1).double()

    @property
    def logs(self) -> Tensor:
        """Log2 of the masses, float64."""
        return self.shifts.double() + self.sums.double().log2_()


def draw(
    rows: Rows,
    excluded: Excluded,
    scores: Scores,
    alpha: float,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    tile: int,
) -> tuple[Tensor, Tensor]:
    """Return columns and log-probabilities, both of shape (rows, num_negatives).

    `excluded` holds columns; `tile` is the number of columns processed at once.
    """
    rows.check_enough(excluded, num_negatives, replacement, scores.width)
    exponents = scores.scaled(factor_of(alpha))
    place = torch.arange(num_negatives, device=rows.numbers.device)
    words = stream.words(NEGATIVES, rows.numbers[:, None] * num_negatives + place)
    if replacement and scores.width <= -(-tile // BLOCK) * BLOCK:
        drawn, log2_q = _from_held(rows, excluded, exponents, *words)
    else:
        masses = block_masses(exponents, excluded, tile)
        drawn, log2_q = _by_windows(rows, excluded, exponents, masses, *words, replacement)
    return drawn, (log2_q * math.log(2)).clamp(max=0.0)


def _from_held(
    rows: Rows, excluded: Excluded, exponents: Scores, high: Tensor, low: Tensor
) -> tuple[Tensor, Tensor]:
    """Draw with replacement, all draws at once, from scores that one tile holds.

    Returns columns, and log2 of their probabilities, both of shape (rows, draws).
    """
    num_blocks = -(-exponents.width // BLOCK)
    work = torch.empty(len(rows) * num_blocks * BLOCK, dtype=torch.float32, device=high.device)
    lines = _tile_of(exponents, excluded, 0, exponents.width, work)
    masses = Masses(*sum_exp2(lines))
    highest = masses.highest
    _check_highest(rows, highest, 0)
    blocks, log_sums = _pick_blocks(masses, highest, high)
    lines = lines.view(-1, BLOCK)
    line = torch.arange(len(rows), device=high.device)[:, None] * num_blocks + blocks
    if high.shape[1] < num_blocks:  # else the sums of all blocks are fewer
        lines = lines[line.flatten()]
        line = torch.arange(len(lines), device=high.device).view_as(line)
    lines = lines.double()
    sums = torch.exp2(lines - lines.amax(1, keepdim=True)).cumsum_(1).flatten()
    start = line * BLOCK
    place = _first_above(sums, start, _unit(low) * sums[start + (BLOCK - 1)])
    log2_q = lines.flatten()[place] - highest[:, None] - log_sums[:, None]
    return blocks * BLOCK + place - start, log2_q


def _by_windows(
    rows: Rows,
    excluded: Excluded,
    exponents: Scores,
    masses: Masses,
    high: Tensor,
    low: Tensor,
    replacement: bool,
) -> tuple[Tensor, Tensor]:
    """Draw, computing the block of each draw again; without replacement, one draw at a time.

    Returns what :func:`_from_held` does.
    """
    device = high.device
    drawn, log2_q = torch.empty_like(high), torch.empty_like(high, dtype=torch.float64)
    top = log_total = log2_q.new_zeros(len(rows))
    at_once = high.shape[1] if replacement else 1
    for first in range(0, high.shape[1], at_once):
        highest = masses.highest
        _check_highest(rows, highest, first)
        blocks, log_sums = _pick_blocks(masses, highest, high[:, first : first + at_once])
        if first == 0:
            top, log_total = highest, log_sums
        wanted = blocks.T.flatten()  # ordered by draw, then row
        each_row = torch.arange(len(wanted), device=device) % max(len(rows), 1)
        for some, found in exponents.windows(each_row, wanted * BLOCK):
            row, j, block = each_row[some], first + some // len(rows), wanted[some]
            inside = exponents_of(found, row, block, excluded)
            shift = inside.amax(1)
            place = pick(torch.exp2(inside - shift[:, None]), low[row, j, None])[:, 0]
            index = torch.arange(len(row), device=device)
            drawn[row, j] = block * BLOCK + place
            log_weight = inside[index, place].where(shift.isfinite(), torch.nan)
            log2_q[row, j] = log_weight - top[row] - log_total[row]
            if not replacement:
                inside[index, place] = -torch.inf
                shifts, sums = sum_exp2(inside)
                masses.shifts[row, block], masses.sums[row, block] = shifts.float(), sums.float()
        _check_again(rows, log2_q[:, first : first + at_once])
        if not replacement:
            excluded = excluded.adding(drawn[:, first])
    return drawn, log2_q


def block_masses(exponents: Scores, excluded: Excluded, tile: int) -> Masses:
    """Return the masses of all blocks of each row."""
    num_rows, device = len(excluded.offsets) - 1, excluded.places.device
    num_blocks = -(-exponents.width // BLOCK)
    bound = exponents.bound()
    safe = bound is not None and bool(bound < SAFE_EXPONENT)
    tile = min(-(-tile // BLOCK), num_blocks) * BLOCK
    work = torch.empty(num_rows * tile, dtype=torch.float32, device=device)
    masses = Masses(*torch.empty((2, num_rows, num_blocks), dtype=torch.float32, device=device))
    for first in range(0, exponents.width, tile):
        part = _tile_of(exponents, excluded, first, tile, work)
        some = slice(first // BLOCK, first // BLOCK + part.shape[1])
        if safe:
            sums = part.exp2_().sum(2)
            shifts = torch.zeros_like(sums).masked_fill_(sums == 0, -torch.inf)
        else:
            shifts, sums = sum_exp2(part)
        masses.shifts[:, some], masses.sums[:, some] = shifts, sums
    return masses


def _tile_of(exponents: Scores, excluded: Excluded, first: int, tile: int, work: Tensor) -> Tensor:
    """Return up to `tile` exponents from column `first` on, (rows, blocks, BLOCK), in `work`."""
    num_rows, last = len(excluded.offsets) - 1, min(first + tile, exponents.width)
    blocks = -(-(last - first) // BLOCK)
    part = work[: num_rows * blocks * BLOCK].view(num_rows, blocks * BLOCK)
    part[:, last - first :] = -torch.inf
    exponents.tile(first, last, part[:, : last - first])
    inside = (excluded.places >= first) & (excluded.places < last)
    part[excluded.rows[inside], excluded.places[inside] - first] = -torch.inf
    return part.view(num_rows, blocks, BLOCK)


def exponents_of(found: Tensor, row: Tensor, block: Tensor, excluded: Excluded) -> Tensor:
    """Return the exponents in the block of each draw as float64; -inf where excluded."""
    exponents = found.double()
    exponents[excluded.inside(row, block * BLOCK, BLOCK)] = -torch.inf
    return exponents


def sum_exp2(exponents: Tensor) -> tuple[Tensor, Tensor]:
    """Return the highest exponent over the last axis, and sum 2 ** (exponent - highest)."""
    highest = exponents.amax(-1)
    shift = highest.masked_fill(highest == -torch.inf, 0.0)
    return highest, torch.exp2(exponents - shift[..., None]).sum(-1)


def pick(weights: Tensor, words: Tensor) -> Tensor:
    """Return for each word the first index whose running sum exceeds u * total.

    The uniform number u is (word + 1/2) / 2**32. Weights are (lines, columns), and words
    (lines, draws).
    """
    sums = weights.cumsum(1)
    places = torch.searchsorted(sums, _unit(words) * sums[:, -1:], right=True)
    return places.clamp_(max=weights.shape[1] - 1)  # NaN sums exceed no threshold


def _unit(words: Tensor) -> Tensor:
    """Return the uniform number (word + 1/2) / 2**32."""
    return (words.double() + 0.5) * 2.0**-32


def _first_above(sums: Tensor, start: Tensor, thresholds: Tensor) -> Tensor:
    """Bisect the BLOCK running sums from each start on, of which the last exceeds its threshold."""
    place, step = start, BLOCK // 2
    while step:
        place = place + step * (sums[place + (step - 1)] <= thresholds)
        step //= 2
    return place


def _pick_blocks(masses: Masses, highest: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
    """Return the blocks that (rows, draws) words pick, and log2 of each row's total mass.

    The total is in units of 2 ** highest.
    """
    blocks, log_sums = torch.empty_like(words), torch.empty_like(highest)
    step = max(MASSES_AT_ONCE // masses.shifts.shape[1], 1)
    for first in range(0, len(highest), step):
        some = slice(first, first + step)
        shares = torch.exp2(masses.shifts[some] - highest[some, None]) * masses.sums[some]
        log_sums[some] = shares.sum(1).log2()
        blocks[some] = pick(shares, words[some])
    return blocks, log_sums


def _check_highest(rows: Rows, highest: Tensor, drawn: int) -> None:
    """Raise if the highest shift of a row is NaN or +inf, or -inf (nothing left to draw)."""
    if bool(highest.isfinite().all()):
        return
    invalid = ~(highest < torch.inf)
    if bool(invalid.any()):
        raise row_errors.invalid_score(rows.number_of_first(invalid)[1], rows.shape)
    _, number = rows.number_of_first(highest == -torch.inf)
    raise row_errors.no_finite_score(number, rows.shape, drawn)


def _check_again(rows: Rows, log2_q: Tensor) -> None:
    """Raise for rows whose scores of a block were not finite when computed again."""
    changed = log2_q.isnan().any(1)
    if bool(changed.any()):
        raise row_errors.changed_score(rows.number_of_first(changed)[1], rows.shape)
