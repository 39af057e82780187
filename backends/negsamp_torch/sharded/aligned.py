"""The scores of a rank's columns, moved to where blocks begin."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from negsamp_torch.scores import OwnScores, Scores, Windows

__all__ = ["Aligned", "OwnRuns"]


@dataclass(frozen=True)
class Aligned:
    """Scores behind `lead` columns without an item, -inf: the same number for all rows."""

    scores: Scores
    lead: int

    @property
    def width(self) -> int:
        """Number of columns, with those in front."""
        return self.lead + self.scores.width

    def bound(self) -> Tensor | None:
        """Bound as without."""
        return self.scores.bound()

    def scaled(self, factor: float) -> Aligned:
        """Scale what is behind."""
        return replace(self, scores=self.scores.scaled(factor))

    def tile(self, first: int, last: int, out: Tensor) -> None:
        """Write nothing but -inf, and then the scores behind."""
        start = min(max(first, self.lead), last)
        out[:, : start - first] = -torch.inf
        if start < last:
            self.scores.tile(start - self.lead, last - self.lead, out[:, start - first :])

    def windows(self, row: Tensor, first: Tensor) -> Windows:
        """Take them from further in front."""
        return self.scores.windows(row, first - self.lead)


@dataclass(frozen=True)
class OwnRuns(OwnScores):
    """Dot products of each query with its own line of places; one below 0 is none, -inf."""

    def _products(self, queries: Tensor, places: Tensor) -> Tensor:
        products = super()._products(queries, places.clamp(min=0))
        return products.masked_fill(places < 0, -torch.inf)
