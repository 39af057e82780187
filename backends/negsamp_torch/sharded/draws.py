"""Draws over all ranks, which run the same steps and collectives together.

Each rank computes the masses of its own blocks, and the ranks exchange those of their heads, bodies
and tails (`Columns`). From these every rank computes the same pick of a part by the same words. The
rank of that part finds the block and the item, and a sum over ranks distributes them, to which the
others add 0. A rank with an error sends NaN instead of its masses, and then all ranks raise: none
waits in a collective that another does not reach.
"""

from __future__ import annotations

import math
from typing import NoReturn

import torch
from torch import Tensor

from negsamp import row_errors
from negsamp.blocks import BLOCK
from negsamp.errors import InvalidInputError
from negsamp.stream import NEGATIVES, Stream
from negsamp_torch.by_score import block_masses, exponents_of, pick
from negsamp_torch.rows import Excluded, Rows
from negsamp_torch.scores import Scores, factor_of, in_batches
from negsamp_torch.sharded.columns import Columns, log2_sum_exp2
from negsamp_torch.sharded.exchange import Exchange
from negsamp_torch.sharded.masses import BODY, HEAD, PARTS, Masses, Picked

__all__ = ["abort_draw", "draw"]

CLAIM = 1 << 48
"""Added to a column by the rank that drew it: the sum over ranks then counts these, to be one."""


def draw(
    exchange: Exchange,
    rows: Rows,
    excluded: Excluded,
    scores: Scores,
    columns: Columns,
    alpha: float,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    tile: int,
) -> tuple[Tensor, Tensor]:
    """Return columns and log-probabilities, both of shape (rows, num_negatives), on all ranks."""
    try:
        rows.check_enough(excluded, num_negatives, replacement, excluded.width)
        exponents = scores.scaled(factor_of(alpha))
        hidden = columns.excluded(excluded)
        masses = _masses(exponents, hidden, columns, tile)
        parts = columns.parts(masses)
        draws = rows.numbers[:, None] * num_negatives
        draws = draws + torch.arange(num_negatives, device=draws.device)
        words = stream.words(NEGATIVES, draws)
        drawn = torch.zeros_like(draws)
        log_weights = torch.zeros(draws.shape, dtype=torch.float64, device=draws.device)
        log_total = masses.new_zeros(len(rows))
    except Exception as error:  # noqa: BLE001  (raised once the other ranks are told)
        abort_draw(exchange, rows, error)
    failure: Exception | None = None
    at_once = num_negatives if replacement else 1
    for first in range(0, num_negatives, at_once):
        everyone = Masses.of(exchange, columns, parts)
        _check(exchange, rows, everyone.top, failure, first)
        try:
            log_total = everyone.log_total if first == 0 else log_total
            some = slice(first, first + at_once)
            picked = everyone.pick(words[0][:, some].T, words[1][:, some].T)
            mine = (picked.part // PARTS == exchange.rank).nonzero()[:, 0]
            own, rows_of, draws_of = picked.of(mine), mine % len(rows), first + mine // len(rows)
            blocks = _blocks_of(own, columns, masses, rows_of)
            for index, found in exponents.windows(rows_of, blocks * BLOCK):
                row, j, block = rows_of[index], draws_of[index], blocks[index]
                inside = exponents_of(found, row, block, hidden)
                place = _places_of(own.of(index), inside, words[1][row, j])
                line, column = torch.arange(len(index), device=index.device), block * BLOCK + place
                log_weights[row, j] = inside[line, place]
                if not replacement:
                    inside[line, place] = -torch.inf
                    masses[row, block] = log2_sum_exp2(inside)
                    hidden = hidden.adding(column, row)
                drawn[row, j] = column + columns.of_rows(row).origin + CLAIM
            if first + at_once < num_negatives:
                parts = columns.parts(masses)
        except Exception as error:  # noqa: BLE001  (raised once NaN has told the other ranks)
            failure = error
            parts.fill_(torch.nan)
            log_weights.fill_(torch.nan)
    drawn, log_weights = exchange.sum(drawn), exchange.sum(log_weights)
    _check_drawn(exchange, rows, drawn, log_weights, failure)
    log_q = (log_weights - log_total[:, None]) * math.log(2)
    return drawn % CLAIM, log_q.clamp(max=0.0)


def abort_draw(exchange: Exchange, rows: Rows, failure: Exception) -> NoReturn:
    """Send NaN to the ranks that wait for the first masses of some rows, and raise."""
    nothing = torch.full((PARTS, len(rows)), torch.nan, dtype=torch.float64)
    exchange.gather(nothing.to(rows.numbers.device))
    exchange.raise_on_all(failure)
    raise failure


def _masses(exponents: Scores, hidden: Excluded, columns: Columns, tile: int) -> Tensor:
    """Return log2 of the masses of this rank's blocks."""
    if columns.is_empty:
        shape, device = (len(hidden.offsets) - 1, 1), hidden.places.device
        return torch.full(shape, -torch.inf, dtype=torch.float64, device=device)
    return block_masses(exponents, hidden, tile).logs


def _check(
    exchange: Exchange, rows: Rows, top: Tensor, failure: Exception | None, drawn: int
) -> None:
    """Raise on all ranks for a bad score, a row with nothing left to draw, or a failed rank."""
    if bool(top.isfinite().all()):
        return
    exchange.raise_on_all(failure)
    invalid = ~(top < torch.inf)
    if bool(invalid.any()):
        raise row_errors.invalid_score(rows.number_of_first(invalid)[1], rows.shape)
    _, number = rows.number_of_first(top == -torch.inf)
    raise row_errors.no_finite_score(number, rows.shape, drawn)


def _check_drawn(
    exchange: Exchange, rows: Rows, drawn: Tensor, log_weights: Tensor, failure: Exception | None
) -> None:
    """Raise on all ranks for draws by no rank or several, a bad score, or a failed rank."""
    invalid, claimed = log_weights.isnan(), drawn // CLAIM
    wrong = invalid | (claimed != 1)
    if not bool(wrong.any()):
        return
    exchange.raise_on_all(failure)
    if bool(invalid.any()):
        raise row_errors.invalid_score(rows.number_of_first(invalid)[1], rows.shape)
    _, number = rows.number_of_first(wrong)
    raise InvalidInputError(
        f"{row_errors.row_name(number, rows.shape)} was drawn by {int(claimed[wrong][0])} "
        "ranks, not by one: they computed different picks from the same masses, as on different "
        "devices"
    )


def _blocks_of(picked: Picked, columns: Columns, masses: Tensor, rows: Tensor) -> Tensor:
    """Return the local blocks that draws of some rows picked, counted from the origin."""
    blocks = torch.empty_like(rows)
    for some in in_batches(rows, len(masses)):
        row, of_draw = rows[some], picked.of(some)
        part, of_row = of_draw.part % PARTS, columns.of_rows(row)
        weights = torch.exp2(of_row.bodies(masses[row]) - of_draw.top[:, None])
        inside = _first_beyond(weights, of_draw.rest)
        block = torch.where(part == BODY, inside, of_row.last_block)
        blocks[some] = block.masked_fill(part == HEAD, 0)
    return blocks


def _places_of(picked: Picked, inside: Tensor, words: Tensor) -> Tensor:
    """Return the place in each draw's block: by the second word, or by the rest in a cut block."""
    highest = inside.amax(1)
    weights = torch.exp2(inside - highest[:, None])
    rest = picked.rest * torch.exp2(picked.top - highest)
    whole = picked.part % PARTS == BODY
    return torch.where(whole, pick(weights, words[:, None])[:, 0], _first_beyond(weights, rest))


def _first_beyond(weights: Tensor, threshold: Tensor) -> Tensor:
    """Return for each line the first index whose running sum exceeds a threshold, or the last."""
    sums = weights.cumsum(1)
    below = torch.nextafter(sums[:, -1], torch.zeros_like(threshold))
    return (sums <= torch.minimum(threshold, below)[:, None]).sum(1)
