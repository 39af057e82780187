"""The masses of the parts of all ranks, and the part that words pick: the same on each rank."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from negsamp_torch.sharded.columns import Columns
from negsamp_torch.sharded.exchange import Exchange

__all__ = ["BODY", "HEAD", "PARTS", "Masses", "Picked"]

HEAD, BODY, PARTS = 0, 1, 3
"""Indices of a rank's parts, and their number: head, body, tail."""


@dataclass(frozen=True)
class Picked:
    """The parts that draws pick, ordered by draw, then by row.

    Attributes
    ----------
    part : int64, shape (draws * rows,)
        Rank * 3 + part.
    rest : float64, shape (draws * rows,)
        What is left of the threshold inside the part, in units of 2**top: in a body that of the
        first word, which finds the block; in a head or tail that of the second, for the item.
    top : float64, shape (draws * rows,)
        That of the row in :class:`Masses`.
    """

    part: Tensor
    rest: Tensor
    top: Tensor

    def of(self, some: Tensor) -> Picked:
        """Return some of the draws."""
        return Picked(self.part[some], self.rest[some], self.top[some])


@dataclass(frozen=True)
class Masses:
    """The masses of the parts of all ranks.

    Attributes
    ----------
    logs : float64, shape (3 W, rows)
        Log2 of the mass of each part, in the order of columns.
    labels : int64, shape (3 W, rows) or (3 W, 1)
        :attr:`Columns.labels`.
    top : float64, shape (rows,)
        The highest of the logs of a row.
    """

    logs: Tensor
    labels: Tensor
    top: Tensor

    @classmethod
    def of(cls, exchange: Exchange, columns: Columns, parts: Tensor) -> Masses:
        """Gather log2 of the masses of the parts, (3, rows), from all ranks."""
        logs = exchange.gather(parts).flatten(0, 1)
        return cls(logs, columns.labels, logs.amax(0))

    @property
    def log_total(self) -> Tensor:
        """Log2 of the total mass of each row."""
        return self.top + torch.exp2(self.logs - self.top).sum(0).log2()

    def pick(self, first: Tensor, second: Tensor) -> Picked:
        """Pick by (draws, rows) words: the first a body or a cut block, the second a part of it."""
        shares = torch.exp2(self.logs - self.top)
        labels = self.labels.expand_as(shares)
        parts, rests = [], []
        for first_word, second_word in zip(first, second, strict=True):
            part, rest = _locate(shares, first_word)
            label = labels.gather(0, part[None])
            part, rest_inside = _locate(shares.masked_fill(labels != label, 0.0), second_word)
            parts.append(part)
            rests.append(torch.where(label[0] < 0, rest, rest_inside))
        return Picked(torch.cat(parts), torch.cat(rests), self.top.repeat(len(first)))


def _locate(shares: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
    """Return the line of (lines, rows) shares in which a word falls, and the rest inside it."""
    sums = shares.cumsum(0)
    threshold = (words.double() + 0.5) * 2.0**-32 * sums[-1]
    line = (sums <= threshold).sum(0)
    before = torch.cat([sums.new_zeros((1, sums.shape[1])), sums]).gather(0, line[None])[0]
    return line, threshold - before
