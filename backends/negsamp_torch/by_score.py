"""Draws in proportion to exp(alpha * score): the two-level inversion of the reference, eager.

Scores are scaled by alpha / ln 2 to exponents of two. Pass 1 computes them tile by tile and keeps
log2 of the mass of each block of 128 columns, the sum of 2 ** exponent. A draw picks a block in
proportion to the masses by its first word, computes its scores again, and picks a column by its
second. If a bound on the exponents is below `SAFE_EXPONENT` no maximum is taken; else every block
is shifted by its own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from negsamp import validation
from negsamp.stream import NEGATIVES, Stream
from negsamp_torch.rows import Excluded, Rows
from negsamp_torch.scores import BLOCK, Scores, factor_of

__all__ = ["draw"]

SAFE_EXPONENT = 100.0
"""Bound on exponents without a shift: 2**24 powers of at most 2**100 sum to less than 2**128."""

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
) -> tuple[Tensor, Tensor]:
    """Return columns and log-probabilities, both of shape (rows, num_negatives).

    `excluded` holds columns; `tile` is the number of columns processed at once.
    """
    rows.check_enough(excluded, num_negatives, replacement, scores.width)
    exponents = scores.scaled(factor_of(alpha))
    masses = block_masses(exponents, excluded, tile)
    device = rows.numbers.device
    draws = rows.numbers[:, None] * num_negatives + torch.arange(num_negatives, device=device)
    high, low = stream.words(NEGATIVES, draws)
    drawn = torch.empty_like(draws)
    log_weights = torch.empty(draws.shape, dtype=torch.float64, device=device)
    total = None
    at_once = num_negatives if replacement else 1
    for first in range(0, num_negatives, at_once):
        highest = masses.amax(1)
        _check_highest(rows, highest, first)
        blocks, log_sums = _pick_blocks(masses, highest, high[:, first : first + at_once])
        total = log_sums if total is None else total
        wanted = blocks.T.flatten()  # ordered by draw, then row
        each_row = torch.arange(len(wanted), device=device) % max(len(rows), 1)
        for some, found in exponents.windows(each_row, wanted * BLOCK):
            row, j, block = each_row[some], first + some // len(rows), wanted[some]
            inside = exponents_of(found, row, block, excluded)
            place = pick(torch.exp2(inside - inside.amax(1, keepdim=True)), low[row, j, None])[:, 0]
            index = torch.arange(len(row), device=device)
            drawn[row, j], log_weights[row, j] = block * BLOCK + place, inside[index, place]
            if not replacement:
                inside[index, place] = -torch.inf
                masses[row, block] = log2_sum_exp2(inside)
        if not replacement:
            excluded = excluded.adding(drawn[:, first])
    _check_drawn(rows, log_weights)
    log_q = (log_weights - (0.0 if total is None else total[:, None])) * math.log(2)
    return drawn, log_q.clamp(max=0.0)


def block_masses(exponents: Scores, excluded: Excluded, tile: int) -> Tensor:
    """Return log2 of the sum of 2 ** exponent over each block, float64 (rows, blocks)."""
    num_rows, device = len(excluded.offsets) - 1, excluded.places.device
    num_blocks = -(-exponents.width // BLOCK)
    bound = exponents.bound()
    safe = bound is not None and bool(bound < SAFE_EXPONENT)
    tile = min(-(-tile // BLOCK), num_blocks) * BLOCK
    work = torch.empty(num_rows * tile, dtype=torch.float32, device=device)
    masses = torch.empty((num_rows, num_blocks), dtype=torch.float64, device=device)
    excluded_rows = excluded.rows
    for first in range(0, exponents.width, tile):
        last = min(first + tile, exponents.width)
        blocks = -(-(last - first) // BLOCK)
        part = work[: num_rows * blocks * BLOCK].view(num_rows, blocks * BLOCK)
        part[:, last - first :] = -torch.inf
        exponents.tile(first, last, part[:, : last - first])
        inside = (excluded.places >= first) & (excluded.places < last)
        part[excluded_rows[inside], excluded.places[inside] - first] = -torch.inf
        part = part.view(num_rows, blocks, BLOCK)
        sums = part.exp2_().sum(2).double().log2_() if safe else log2_sum_exp2(part)
        masses[:, first // BLOCK : first // BLOCK + blocks] = sums
    return masses


def exponents_of(found: Tensor, row: Tensor, block: Tensor, excluded: Excluded) -> Tensor:
    """Return the exponents in the block of each draw as float64; -inf where excluded."""
    exponents = found.double()
    exponents[excluded.inside(row, block * BLOCK, BLOCK)] = -torch.inf
    return exponents


def log2_sum_exp2(exponents: Tensor) -> Tensor:
    """Return log2 of the sum of 2 ** exponent over the last axis, shifted by the maximum."""
    highest = exponents.amax(-1)
    shift = highest.masked_fill(highest == -torch.inf, 0.0)
    sums = torch.exp2(exponents - shift[..., None]).sum(-1)
    return shift.double() + sums.double().log2_()


def pick(weights: Tensor, words: Tensor) -> Tensor:
    """Return for each word the first index whose running sum exceeds u * total.

    The uniform number u is (word + 1/2) / 2**32. Weights are (lines, columns), and words
    (lines, draws).
    """
    sums = weights.cumsum(1)
    thresholds = (words.double() + 0.5) * 2.0**-32 * sums[:, -1:]
    places = torch.searchsorted(sums, thresholds, right=True)
    return places.clamp_(max=weights.shape[1] - 1)  # NaN sums exceed no threshold


def _pick_blocks(masses: Tensor, highest: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
    """Return the blocks that (rows, draws) words pick, and log2 of each row's total mass."""
    blocks, log_sums = torch.empty_like(words), torch.empty_like(highest)
    step = max(MASSES_AT_ONCE // masses.shape[1], 1)
    for first in range(0, len(masses), step):
        some = slice(first, first + step)
        shares = torch.exp2(masses[some] - highest[some, None])
        log_sums[some] = highest[some] + shares.sum(1).log2()
        blocks[some] = pick(shares, words[some])
    return blocks, log_sums


def _check_highest(rows: Rows, highest: Tensor, drawn: int) -> None:
    """Raise if the largest mass of a row is NaN or +inf, or -inf (nothing left to draw)."""
    if bool(highest.isfinite().all()):
        return
    invalid = ~(highest < torch.inf)
    if bool(invalid.any()):
        raise validation.invalid_score(rows.number_of_first(invalid)[1], rows.shape)
    _, number = rows.number_of_first(highest == -torch.inf)
    raise validation.no_finite_score(number, rows.shape, drawn)


def _check_drawn(rows: Rows, log_weights: Tensor) -> None:
    """Raise for rows with a score that is NaN when computed again."""
    invalid = log_weights.isnan().any(1)
    if bool(invalid.any()):
        raise validation.invalid_score(rows.number_of_first(invalid)[1], rows.shape)
