"""The scores of a rank's columns, padded in front so that they begin with a block."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from negsamp_torch.scores import OwnScores, Scores, Windows

__all__ = ["Aligned", "PaddedOwnScores"]


@dataclass(frozen=True)
class Aligned:
    """Scores after `lead` padding columns of -inf, the same number for all rows."""

    scores: Scores
    lead: int

    @property
    def width(self) -> int:
        """Number of columns, padding included."""
        return self.lead + self.scores.width

    def bound(self) -> Tensor | None:
        """Bound the scores, which padding does not change."""
        return self.scores.bound()

    def scaled(self, factor: float) -> Aligned:
        """Scale the scores."""
        return replace(self, scores=self.scores.scaled(factor))

    def tile(self, first: int, last: int, out: Tensor) -> None:
        """Write padding, then scores."""
        start = min(max(first, self.lead), last)
        out[:, : start - first] = -torch.inf
        if start < last:
            self.scores.tile(start - self.lead, last - self.lead, out[:, start - first :])

    def windows(self, row: Tensor, first: Tensor) -> Windows:
        """Shift the windows by the padding."""
        return self.scores.windows(row, first - self.lead)


@dataclass(frozen=True)
class PaddedOwnScores(OwnScores):
    """Dot products of each query with its own places; negative ones are padding, -inf."""

    def _products(self, queries: Tensor, places: Tensor) -> Tensor:
        products = super()._products(queries, places.clamp(min=0))
        return products.masked_fill(places < 0, -torch.inf)
