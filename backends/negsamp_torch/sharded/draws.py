"""Draws over all ranks: each knows who owns the block that a word picks, and the owner draws."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from negsamp import validation
from negsamp.stream import NEGATIVES, Stream
from negsamp_torch.by_score import block_masses, exponents_of, log2_sum_exp2, pick
from negsamp_torch.rows import Excluded, Rows
from negsamp_torch.scores import BLOCK
from negsamp_torch.sharded.exchange import Exchange
from negsamp_torch.sharded.parts import Part

__all__ = ["draw"]


def draw(
    exchange: Exchange,
    rows: Rows,
    excluded: Excluded,
    part: Part,
    alpha: float,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    num_columns: int,
    tile: int,
) -> tuple[Tensor, Tensor]:
    """Return columns and log-probabilities, both of shape (rows, num_negatives), on all ranks."""
    rows.check_enough(excluded, num_negatives, replacement, num_columns)
    exponents = part.scores.scaled(alpha / math.log(2))
    hidden = part.excluded(excluded)
    masses = torch.empty((len(rows), 0), dtype=torch.float64, device=rows.numbers.device)
    if exponents.width:
        masses = block_masses(exponents, hidden, tile)
    draws = rows.numbers[:, None] * num_negatives
    draws = draws + torch.arange(num_negatives, device=draws.device)
    words = stream.words(NEGATIVES, draws)
    columns = torch.zeros_like(draws)
    log_weights = torch.zeros(draws.shape, dtype=torch.float64, device=draws.device)
    picked, log_total = None, torch.zeros(1)
    for j in range(num_negatives):
        if picked is None or not replacement:
            picked = _Ranks.of(exchange, masses)
            picked.check(rows, j)
            log_total = picked.log_total if j == 0 else log_total
        mine, rest = picked.own(exchange.rank, words[0][:, j])
        if len(mine):
            sums = torch.exp2(masses[mine] - picked.top[mine, None]).cumsum(1)
            below = torch.nextafter(sums[:, -1], torch.zeros_like(sums[:, -1]))
            block = (sums <= torch.minimum(rest, below)[:, None]).sum(1)
            inside = exponents_of(block, exponents.of(mine), _of_rows(hidden, mine))
            place = pick(torch.exp2(inside - inside.amax(1, keepdim=True)), words[1][mine, j])
            row = torch.arange(len(mine), device=mine.device)
            columns[mine, j] = part.first[mine] + block * BLOCK + place
            log_weights[mine, j] = inside[row, place]
            if not replacement:
                inside[row, place] = -torch.inf
                masses[mine, block] = log2_sum_exp2(inside)
        if not replacement and exponents.width:
            drawn = torch.cat([hidden.places, columns[mine, j] - part.first[mine]])
            of_rows = torch.cat([hidden.rows, mine])
            hidden = Excluded.of_pairs(of_rows, drawn, len(rows), exponents.width)
    columns, log_weights = exchange.sum(columns), exchange.sum(log_weights)
    log_q = (log_weights - log_total[:, None]) * math.log(2)
    return columns, log_q.clamp(max=0.0)


@dataclass(frozen=True)
class _Ranks:
    """The masses of all ranks, the same numbers on each: sum * 2**highest, rows last.

    Attributes
    ----------
    highest, sums : float64, shape (W, rows)
    top : float64, shape (rows,)
        The highest of all.
    """

    highest: Tensor
    sums: Tensor
    top: Tensor

    @classmethod
    def of(cls, exchange: Exchange, masses: Tensor) -> _Ranks:
        """Exchange the masses of the blocks of each rank."""
        none = masses.new_full((len(masses), 1), -torch.inf)
        highest = torch.cat([masses, none], dim=1).amax(1)
        shift = highest.masked_fill(highest == -torch.inf, 0.0)
        sums = torch.exp2(masses - shift[:, None]).sum(1)
        everyone = exchange.gather(torch.stack([highest, sums]))
        return cls(everyone[:, 0], everyone[:, 1], everyone[:, 0].amax(0))

    @property
    def running(self) -> Tensor:
        """Sums over ranks 0, ..., r, in units of 2**top."""
        return (self.sums * torch.exp2(self.highest - self.top)).cumsum(0)

    @property
    def log_total(self) -> Tensor:
        """Log2 of the sum over all ranks."""
        return self.top + self.running[-1].log2()

    def own(self, rank: int, words: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows whose draw falls on a rank, and how far into its mass."""
        running = self.running
        threshold = (words.double() + 0.5) * 2.0**-32 * running[-1]
        mine = ((running <= threshold).sum(0) == rank).nonzero()[:, 0]
        before = running[rank - 1] if rank else torch.zeros_like(threshold)
        return mine, (threshold - before)[mine]

    def check(self, rows: Rows, drawn: int) -> None:
        """Refuse rows with a bad score or nothing left to draw: alike on all ranks."""
        invalid = ~(self.top < torch.inf)
        if bool(invalid.any()):
            raise validation.invalid_score(rows.number_of_first(invalid)[1], rows.shape)
        empty = self.top == -torch.inf
        if bool(empty.any()):
            raise validation.no_finite_score(rows.number_of_first(empty)[1], rows.shape, drawn)


def _of_rows(excluded: Excluded, rows: Tensor) -> Excluded:
    """Return what some rows exclude, in their order, which is ascending."""
    wanted = torch.zeros(len(excluded.offsets) - 1, dtype=torch.bool, device=rows.device)
    wanted[rows] = True
    kept = wanted[excluded.rows]
    counts = excluded.counts[rows]
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return Excluded(offsets, excluded.places[kept], excluded.width)
