"""The masses of all ranks, and which of them two words pick: the same on each rank."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from negsamp_torch.sharded.columns import Columns
from negsamp_torch.sharded.exchange import Exchange

__all__ = ["BODY", "HEAD", "PARTS", "Masses", "Picked"]

HEAD, BODY, PARTS = 0, 1, 3
"""Parts of a rank's columns in their order: head, body, tail."""


@dataclass(frozen=True)
class Picked:
    """What the words of draws pick: for each row by the first draw, for each by the next, ...

    Attributes
    ----------
    part : int64, shape (draws * rows,)
        Rank * 3 + part.
    rest : float64, shape (draws * rows,)
        How far into the mass of the part, in units of 2**top: of a body by the first word, to find
        the block by; of a head or tail by the second, to find the item by.
    top : float64, shape (draws * rows,)
    """

    part: Tensor
    rest: Tensor
    top: Tensor

    def of(self, some: Tensor) -> Picked:
        """Take some of them."""
        return Picked(self.part[some], self.rest[some], self.top[some])


@dataclass(frozen=True)
class Masses:
    """What the ranks have told of their parts.

    Attributes
    ----------
    logs : float64, shape (3 W, rows)
        Log2 of the mass of each part, in the order of columns.
    labels : int64, shape (3 W, rows) or (3 W, 1)
        Those of :attr:`Columns.labels`.
    top : float64, shape (rows,)
        The highest of the logarithms.
    """

    logs: Tensor
    labels: Tensor
    top: Tensor

    @classmethod
    def of(cls, exchange: Exchange, columns: Columns, parts: Tensor) -> Masses:
        """Exchange log2 of the masses of the parts of each rank, (3, rows)."""
        logs = exchange.gather(parts).flatten(0, 1)
        return cls(logs, columns.labels, logs.amax(0))

    @property
    def log_total(self) -> Tensor:
        """Log2 of the sum of all."""
        return self.top + torch.exp2(self.logs - self.top).sum(0).log2()

    def pick(self, first: Tensor, second: Tensor) -> Picked:
        """Let words, (draws, rows), pick: the first a body or a cut block, the second its part."""
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
    """Return the line of (lines, rows) shares that a word falls on, and how far into it."""
    sums = shares.cumsum(0)
    threshold = (words.double() + 0.5) * 2.0**-32 * sums[-1]
    line = (sums <= threshold).sum(0)
    before = torch.cat([sums.new_zeros((1, sums.shape[1])), sums]).gather(0, line[None])[0]
    return line, threshold - before
