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
from negsamp.blocks import BLOCK
from negsamp.stream import NEGATIVES, Stream
from negsamp_torch.rows import Excluded, Rows
from negsamp_torch.scores import Scores, factor_of

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
    place = torch.arange(num_negatives, device=rows.numbers.device)
    words = stream.words(NEGATIVES, rows.numbers[:, None] * num_negatives + place)
    if replacement and scores.width <= -(-tile // BLOCK) * BLOCK:
        drawn, log_weights, total = _from_held(rows, excluded, exponents, *words)
    else:
        masses = block_masses(exponents, excluded, tile)
        drawn, log_weights, total = _by_windows(
            rows, excluded, exponents, masses, *words, replacement
        )
    _check_drawn(rows, log_weights)
    return drawn, ((log_weights - total[:, None]) * math.log(2)).clamp(max=0.0)


def _from_held(
    rows: Rows, excluded: Excluded, exponents: Scores, high: Tensor, low: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw with replacement, all draws at once, from scores that one tile holds.

    Returns
    -------
    columns, log_weights, total : Tensor
        (rows, draws) twice, and (rows,); the logarithms to base 2.
    """
    num_blocks = -(-exponents.width // BLOCK)
    work = torch.empty(len(rows) * num_blocks * BLOCK, dtype=torch.float32, device=high.device)
    lines = _tile_of(exponents, excluded, 0, exponents.width, work)
    masses = log2_sum_exp2(lines)
    highest = masses.amax(1)
    _check_highest(rows, highest, 0)
    blocks, total = _pick_blocks(masses, highest, high)
    lines = lines.view(-1, BLOCK)
    line = torch.arange(len(rows), device=high.device)[:, None] * num_blocks + blocks
    if high.shape[1] < num_blocks:  # else the sums of all blocks are fewer
        lines = lines[line.flatten()]
        line = torch.arange(len(lines), device=high.device).view_as(line)
    lines = lines.double()
    sums = torch.exp2(lines - lines.amax(1, keepdim=True)).cumsum_(1).flatten()
    start = line * BLOCK
    place = _first_above(sums, start, _unit(low) * sums[start + (BLOCK - 1)])
    return blocks * BLOCK + place - start, lines.flatten()[place], total


def _by_windows(
    rows: Rows,
    excluded: Excluded,
    exponents: Scores,
    masses: Tensor,
    high: Tensor,
    low: Tensor,
    replacement: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw, computing the block of each draw again; without replacement, one draw at a time.

    Returns
    -------
    columns, log_weights, total : Tensor
        As of :func:`_from_held`.
    """
    device = masses.device
    drawn, log_weights = torch.empty_like(high), torch.empty_like(high, dtype=torch.float64)
    total = torch.zeros_like(masses[:, 0])
    at_once = high.shape[1] if replacement else 1
    for first in range(0, high.shape[1], at_once):
        highest = masses.amax(1)
        _check_highest(rows, highest, first)
        blocks, log_sums = _pick_blocks(masses, highest, high[:, first : first + at_once])
        total = log_sums if first == 0 else total
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
    return drawn, log_weights, total


def block_masses(exponents: Scores, excluded: Excluded, tile: int) -> Tensor:
    """Return log2 of the sum of 2 ** exponent over each block, float64 (rows, blocks)."""
    num_rows, device = len(excluded.offsets) - 1, excluded.places.device
    num_blocks = -(-exponents.width // BLOCK)
    bound = exponents.bound()
    safe = bound is not None and bool(bound < SAFE_EXPONENT)
    tile = min(-(-tile // BLOCK), num_blocks) * BLOCK
    work = torch.empty(num_rows * tile, dtype=torch.float32, device=device)
    masses = torch.empty((num_rows, num_blocks), dtype=torch.float64, device=device)
    for first in range(0, exponents.width, tile):
        part = _tile_of(exponents, excluded, first, tile, work)
        sums = part.exp2_().sum(2).double().log2_() if safe else log2_sum_exp2(part)
        masses[:, first // BLOCK : first // BLOCK + part.shape[1]] = sums
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
