"""Where the scores of a chunk of rows come from, tile by tile and block by block."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from negsamp import validation
from negsamp.scores import Scorer

__all__ = [
    "BLOCK",
    "CalledScores",
    "OwnScores",
    "Scores",
    "SharedScores",
    "Table",
    "Windows",
    "factor_of",
    "in_float32",
    "in_turn",
]

BLOCK = 128
"""Columns a block: the unit of the two-level draw, the same on every backend."""

WINDOWS = 512
"""Windows that are made at once of fewer rows: else many draws of few rows took a turn each."""

Windows = Iterator[tuple[Tensor, Tensor]]
"""Which of the wanted ones these are, and their scores, (number of them, BLOCK)."""


class Scores(Protocol):
    """float32 scores of rows by columns, a column being a place among the candidates."""

    @property
    def width(self) -> int:
        """Number of columns."""
        ...

    def bound(self) -> Tensor | None:
        """Return a number that no finite score exceeds in size, or None if none is at hand."""
        ...

    def scaled(self, factor: float) -> Scores:
        """Return the same scores times a factor."""
        ...

    def tile(self, first: int, last: int, out: Tensor) -> None:
        """Write columns [first, last) of all rows to `out`."""
        ...

    def windows(self, row: Tensor, first: Tensor) -> Windows:
        """Yield for each i BLOCK columns of row[i] from first[i] on, -inf where there is none.

        They come in any order, at most as many at once as there are rows, or WINDOWS.
        """
        ...


@dataclass(frozen=True)
class Table:
    """Item embeddings, one line a place, in their own dtype, and the largest of their norms."""

    items: Tensor
    largest_norm: Tensor

    @classmethod
    def of(cls, items: Tensor, places: Tensor | None = None) -> Table:
        """Take all lines of `items`, or those at `places`."""
        items = items if places is None else items[places]
        dtype = torch.promote_types(items.dtype, torch.float32)
        norms = torch.linalg.vector_norm(items, dim=1, dtype=dtype)
        return cls(items, norms.amax() if len(norms) else norms.new_zeros(()))

    def bound(self, queries: Tensor) -> Tensor:
        """Bound all dot products with the queries, by Cauchy-Schwarz."""
        largest_query: Tensor = torch.linalg.vector_norm(queries, dim=1).amax()
        return largest_query * self.largest_norm


def factor_of(alpha: float) -> float:
    """Return what scores are multiplied by before two is raised to them."""
    return alpha / math.log(2)


def in_float32(device: torch.device) -> AbstractContextManager[None]:
    """Multiply float32 as float32, whatever ``torch.autocast`` is on around the call.

    What a user's callable does is left to autocast: its own weights may be in need of it.
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
        """Multiply."""
        with in_float32(out.device):
            torch.mm(self.queries, self.table.items[first:last].float().T, out=out)

    def windows(self, row: Tensor, first: Tensor) -> Windows:
        """Multiply all that want the same columns together."""
        order = first.argsort(stable=True)
        for places in in_turn(row, max(len(self.queries), WINDOWS)):
            some = order[places]
            yield some, self._windows(first[some], self.queries[row[some]])

    def _windows(self, first: Tensor, queries: Tensor) -> Tensor:
        """Return BLOCK columns of each query from `first` on, which ascends."""
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
    """Dot products of each query with its own line of (rows, columns) places in a table."""

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
        for some in in_turn(row, max(len(self.queries), WINDOWS)):
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
    """What a callable answers for `item_ids`, of which the lines `numbers` are sampled."""

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
        """Return None."""
        return None

    def scaled(self, factor: float) -> CalledScores:
        """Scale what is answered."""
        return replace(self, factor=self.factor * factor)

    def tile(self, first: int, last: int, out: Tensor) -> None:
        """Call."""
        torch.mul(self._call(first, last)[self.numbers], self.factor, out=out)

    def windows(self, row: Tensor, first: Tensor) -> Windows:
        """Call once for each distinct run of columns, those who want it one after the other."""
        order, held = first.argsort(stable=True), dict[int, Tensor]()
        for places in in_turn(row, max(len(self.numbers), WINDOWS)):
            some = order[places]
            yield some, self._windows(first[some], self.numbers[row[some]], held)

    def _windows(self, first: Tensor, numbers: Tensor, held: dict[int, Tensor]) -> Tensor:
        """Return BLOCK columns from `first` on for each of `numbers`; `held` keeps one answer."""
        shape = (len(first), BLOCK)
        scores = torch.full(shape, -torch.inf, dtype=torch.float32, device=first.device)
        for wanted in torch.unique(first).tolist():
            low = max(wanted, 0)
            if wanted not in held:
                held.clear()
                held[wanted] = self._call(low, min(wanted + BLOCK, self.width))
            draws = (first == wanted).nonzero()[:, 0]
            answer, left = held[wanted][numbers[draws]], low - wanted
            scores[draws, left : left + answer.shape[1]] = answer * self.factor
        return scores

    def _call(self, first: int, last: int) -> Tensor:
        item_ids = self.item_ids[first:last]
        scores = self.score(item_ids.clone())
        validation.check_answer(scores, self.num_targets, len(item_ids))
        return torch.as_tensor(validation.as_native(scores)).detach().float()


def in_turn(wanted: Tensor, size: int) -> Iterator[Tensor]:
    """Yield the places of `wanted` from the first to the last, `size` at once."""
    for first in range(0, len(wanted), size):
        yield torch.arange(first, min(first + size, len(wanted)), device=wanted.device)
