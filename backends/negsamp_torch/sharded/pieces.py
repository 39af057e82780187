"""Scores that came from other ranks, as the draw takes them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from negsamp_torch.scores import BLOCK, CalledScores

__all__ = ["KnownScores", "LengthenedScores"]


@dataclass(frozen=True)
class KnownScores:
    """Scores that are there: float32, shape (num_rows, num_columns), -inf where there is none."""

    scores: Tensor

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.scores.shape[1]

    def bound(self) -> Tensor | None:
        """Return None."""
        return None

    def scaled(self, factor: float) -> KnownScores:
        """Multiply."""
        return KnownScores(self.scores * factor)

    def of(self, rows: Tensor) -> KnownScores:
        """Take rows."""
        return KnownScores(self.scores[rows])

    def tile(self, first: int, last: int, out: Tensor) -> None:
        """Copy."""
        out.copy_(self.scores[:, first:last])

    def blocks(self, block: Tensor) -> Tensor:
        """Take one block of each row, whose last may be short."""
        columns = block[:, None] * BLOCK + torch.arange(BLOCK, device=block.device)
        beyond = columns >= self.width
        return self.scores.gather(1, columns.masked_fill(beyond, 0)).masked_fill(beyond, -torch.inf)


@dataclass(frozen=True)
class LengthenedScores:
    """What a callable answers, then fewer than 128 columns of scores that are there."""

    called: CalledScores
    tail: Tensor

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.called.width + self.tail.shape[1]

    def bound(self) -> Tensor | None:
        """Return None."""
        return None

    def scaled(self, factor: float) -> LengthenedScores:
        """Multiply both."""
        return LengthenedScores(self.called.scaled(factor), self.tail * factor)

    def of(self, rows: Tensor) -> LengthenedScores:
        """Take rows."""
        return LengthenedScores(self.called.of(rows), self.tail[rows])

    def tile(self, first: int, last: int, out: Tensor) -> None:
        """Call for what is before the tail."""
        here = max(min(last, self.called.width) - first, 0)
        if here:
            self.called.tile(first, first + here, out[:, :here])
        before = max(first - self.called.width, 0)
        out[:, here:] = self.tail[:, before : before + last - first - here]

    def blocks(self, block: Tensor) -> Tensor:
        """Call for the blocks that the callable knows of; the last gets the tail."""
        scores = self.called.blocks(block)
        row = (block == self.called.width // BLOCK).nonzero()[:, 0]
        start, count = self.called.width % BLOCK, self.tail.shape[1]
        scores[row[:, None], start + torch.arange(count, device=row.device)] = self.tail[row]
        return scores
