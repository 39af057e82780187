"""Sources of the scores of a chunk of rows: by tiles in pass 1, by windows in pass 2.

A window is BLOCK consecutive columns of one row: a block, unless columns are shifted, as on ranks
of a process group.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from negsamp import validation
from negsamp.blocks import BLOCK
from negsamp.scores import Scorer

__all__ = [
    "CalledScores",
    "OwnScores",
    "Scores",
    "SharedScores",
    "Table",
    "Windows",
    "factor_of",
    "in_batches",
    "in_float32",
]

WINDOWS = 512
"""Windows computed at once if there are fewer rows: else each draw of few rows is a batch."""

Windows = Iterator[tuple[Tensor, Tensor]]
"""Batches of windows: their indices in the request, and (batch, BLOCK) scores."""


class Scores(Protocol):
    """float32 scores of rows x columns; a column is a position, or the index of a candidate."""

    @property
    def width(self) -> int:
        """Number of columns."""
        ...

    def bound(self) -> Tensor | None:
        """Return a bound on the absolute finite scores, or None if none is known."""
        ...

    def scaled(self, factor: float) -> Scores:
        """Return the same scores times a factor."""
        ...

    def tile(self, first: int, last: int, out: Tensor) -> None:
        """Write columns [first, last) of all rows to `out`."""
        ...

    def windows(self, row: Tensor, first: Tensor) -> Windows:
        """Yield for each i the BLOCK columns of row[i] from first[i] on, -inf where out of range.

        They come in any order, in batches of at most max(rows, WINDOWS).
        """
        ...


@dataclass(frozen=True)
class Table:
    """Item embeddings by place, in their own dtype, and the largest of their norms."""

    items: Tensor
    largest_norm: Tensor

    @classmethod
    def of(cls, items: Tensor, places: Tensor | None = None) -> Table:
        """Build from all rows of `items`, or from those at `places`."""
        items = items if places is None else items[places]
        dtype = torch.promote_types(items.dtype, torch.float32)
        norms = torch.linalg.vector_norm(items, dim=1, dtype=dtype)
        return cls(items, norms.amax() if len(norms) else norms.new_zeros(()))

    def bound(self, queries: Tensor) -> Tensor:
        """Bound all dot products with the queries (Cauchy-Schwarz)."""
        largest_query: Tensor = torch.linalg.vector_norm(queries, dim=1).amax()
        return largest_query * self.largest_norm


def factor_of(alpha: float) -> float:
    """Return alpha / ln 2, which turns scores into exponents of two."""
    return alpha / math.log(2)


def in_float32(device: torch.device) -> AbstractContextManager[None]:
    """Return a context that disables ``torch.autocast``, so that products stay in float32.

    It is not used around a user's callable, whose model may need autocast.
    """
    return torch.autocast(device.type, enabled=False)


@dataclass(frozen=True)
class SharedScores:
    """Dot products of (rows, dim) queries with one table for all rows."""

    queries: Tensor
    table: Table

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.table.items)

    def bound(self) -> Tensor | None:
        """Bound by the norms."""
        return self.table.bound(self.queries)

    def scaled(self, factor: float) -> SharedScores:
        """Scale the queries."""
        return replace(self, queries=self.queries * factor)

    def tile(self, first: int, last: int, out: Tensor) -> None:
        """Multiply the queries by the embeddings of the tile."""
        with in_float32(out.device):
            torch.mm(self.queries, self.table.items[first:last].float().T, out=out)

    def windows(self, row: Tensor, first: Tensor) -> Windows:
        """Multiply, with one product for all rows that need the same columns."""
        order = first.argsort(stable=True)
        for places in in_batches(row, max(len(self.queries), WINDOWS)):
            some = order[places]
            yield some, self._windows(first[some], self.queries[row[some]])

    def _windows(self, first: Tensor, queries: Tensor) -> Tensor:
        """Return BLOCK columns of each query from `first` on; `first` must ascend."""
        scores = queries.new_full((len(first), BLOCK), -torch.inf)
        wanted, counts = torch.unique_consecutive(first, return_counts=True)
        start = 0
        for column, count in zip(wanted.tolist(), counts.tolist(), strict=True):
            low = max(column, 0)
            items = self.table.items[low : column + BLOCK].float()
            stop, left = start + count, low - column
            with in_float32(first.device):
                scores[start:stop, left : left + len(items)] = queries[start:stop] @ items.T
            start = stop
        return scores


@dataclass(frozen=True)
class OwnScores:
    """Dot products of each query with its own (rows, columns) places of a table."""

    queries: Tensor
    table: Table
    places: Tensor

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.places.shape[1]

    def bound(self) -> Tensor | None:
        """Bound by the norms."""
        return self.table.bound(self.queries)

    def scaled(self, factor: float) -> OwnScores:
        """Scale the queries."""
        return replace(self, queries=self.queries * factor)

    def tile(self, first: int, last: int, out: Tensor) -> None:
        """Gather (rows, columns, dim) embeddings of one tile and multiply."""
        out.copy_(self._products(self.queries, self.places[:, first:last]))

    def windows(self, row: Tensor, first: Tensor) -> Windows:
        """Gather the columns of each row and multiply."""
        for some in in_batches(row, max(len(self.queries), WINDOWS)):
            columns = first[some, None] + torch.arange(BLOCK, device=first.device)
            outside = (columns < 0) | (columns >= self.width)
            places = self.places[row[some, None], columns.masked_fill(outside, 0)]
            yield (
                some,
                self._products(self.queries[row[some]], places).masked_fill(outside, -torch.inf),
            )

    def _products(self, queries: Tensor, places: Tensor) -> Tensor:
        items = self.table.items[places].float()
        with in_float32(places.device):
            return torch.bmm(items, queries[:, :, None])[:, :, 0]


@dataclass(frozen=True)
class CalledScores:
    """Scores by a callable of `item_ids`, of which the rows `numbers` are sampled."""

    score: Scorer
    item_ids: Tensor
    numbers: Tensor
    num_targets: int
    factor: float = 1.0

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.item_ids)

    def bound(self) -> Tensor | None:
        """Return None: nothing is known of the scores of a callable."""
        return None

    def scaled(self, factor: float) -> CalledScores:
        """Scale what the callable returns."""
        return replace(self, factor=self.factor * factor)

    def tile(self, first: int, last: int, out: Tensor) -> None:
        """Call the scorer for the ids of the tile."""
        torch.mul(self._call(first, last)[self.numbers], self.factor, out=out)

    def windows(self, row: Tensor, first: Tensor) -> Windows:
        """Call once per distinct window: requests are sorted, and the last result is kept."""
        order, held = first.argsort(stable=True), dict[int, Tensor]()
        for places in in_batches(row, max(len(self.numbers), WINDOWS)):
            some = order[places]
            yield some, self._windows(first[some], self.numbers[row[some]], held)

    def _windows(self, first: Tensor, numbers: Tensor, held: dict[int, Tensor]) -> Tensor:
        """Return BLOCK columns from `first` on for each of `numbers`; `held` caches one result."""
        shape = (len(first), BLOCK)
        scores = torch.full(shape, -torch.inf, dtype=torch.float32, device=first.device)
        for wanted in torch.unique(first).tolist():
            low = max(wanted, 0)
            if wanted not in held:
                held.clear()
                held[wanted] = self._call(low, min(wanted + BLOCK, self.width))
            draws = (first == wanted).nonzero()[:, 0]
            returned, left = held[wanted][numbers[draws]], low - wanted
            scores[draws, left : left + returned.shape[1]] = returned * self.factor
        return scores

    def _call(self, first: int, last: int) -> Tensor:
        item_ids = self.item_ids[first:last]
        scores = self.score(item_ids.clone())
        validation.check_returned(scores, self.num_targets, len(item_ids))
        return torch.as_tensor(validation.as_native(scores)).detach().float()


def in_batches(wanted: Tensor, size: int) -> Iterator[Tensor]:
    """Yield the indices of `wanted` in order, `size` at a time."""
    for first in range(0, len(wanted), size):
        yield torch.arange(first, min(first + size, len(wanted)), device=wanted.device)
