"""Where the scores of a chunk of rows come from, tile by tile and block by block."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from negsamp.errors import InvalidInputError
from negsamp.scores import Scorer

__all__ = ["BLOCK", "CalledScores", "OwnScores", "Scores", "SharedScores", "Table"]

BLOCK = 128
"""Columns a block: the unit of the two-level draw, the same on every backend."""


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

    def of(self, rows: Tensor) -> Scores:
        """Return the same scores of some of the rows."""
        ...

    def tile(self, first: int, last: int, out: Tensor) -> None:
        """Write columns [first, last) of all rows to `out`."""
        ...

    def blocks(self, block: Tensor) -> Tensor:
        """Return one block of each row, (rows, BLOCK), -inf beyond the last column."""
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
        return cls(items, torch.linalg.vector_norm(items, dim=1, dtype=dtype).amax())

    def bound(self, queries: Tensor) -> Tensor:
        """Bound all dot products with the queries, by Cauchy-Schwarz."""
        largest_query: Tensor = torch.linalg.vector_norm(queries, dim=1).amax()
        return largest_query * self.largest_norm


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
        return SharedScores(self.queries * factor, self.table)

    def of(self, rows: Tensor) -> SharedScores:
        """Take queries."""
        return SharedScores(self.queries[rows], self.table)

    def tile(self, first: int, last: int, out: Tensor) -> None:
        """Multiply."""
        torch.mm(self.queries, self.table.items[first:last].float().T, out=out)

    def blocks(self, block: Tensor) -> Tensor:
        """Multiply the rows that want the same block together."""
        scores = self.queries.new_full((len(block), BLOCK), -torch.inf)
        order = block.argsort()
        ordered, start = self.queries[order], 0
        for wanted, count in enumerate(block.bincount().tolist()):
            if count:
                items = self.table.items[wanted * BLOCK : (wanted + 1) * BLOCK].float()
                stop = start + count
                scores[start:stop, : len(items)] = ordered[start:stop] @ items.T
                start = stop
        return torch.empty_like(scores).index_copy_(0, order, scores)


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
        return OwnScores(self.queries * factor, self.table, self.places)

    def of(self, rows: Tensor) -> OwnScores:
        """Take queries and their places."""
        return OwnScores(self.queries[rows], self.table, self.places[rows])

    def tile(self, first: int, last: int, out: Tensor) -> None:
        """Gather (rows, columns, dim) embeddings of one tile and multiply."""
        out.copy_(self._products(self.places[:, first:last]))

    def blocks(self, block: Tensor) -> Tensor:
        """Gather the block of each row and multiply."""
        columns = block[:, None] * BLOCK + torch.arange(BLOCK, device=block.device)
        beyond = columns >= self.width
        places = self.places.gather(1, columns.masked_fill(beyond, 0))
        return self._products(places).masked_fill(beyond, -torch.inf)

    def _products(self, places: Tensor) -> Tensor:
        items = self.table.items[places].float()
        return torch.bmm(items, self.queries[:, :, None])[:, :, 0]


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

    def of(self, rows: Tensor) -> CalledScores:
        """Take lines of the answers."""
        return replace(self, numbers=self.numbers[rows])

    def tile(self, first: int, last: int, out: Tensor) -> None:
        """Call."""
        torch.mul(self._call(first, last)[self.numbers], self.factor, out=out)

    def blocks(self, block: Tensor) -> Tensor:
        """Call once for each distinct block."""
        shape = (len(self.numbers), BLOCK)
        scores = torch.full(shape, -torch.inf, device=self.numbers.device)
        for wanted in torch.unique(block).tolist():
            rows = (block == wanted).nonzero()[:, 0]
            first = wanted * BLOCK
            answer = self._call(first, min(first + BLOCK, self.width))[self.numbers[rows]]
            scores[rows, : answer.shape[1]] = answer * self.factor
        return scores

    def _call(self, first: int, last: int) -> Tensor:
        item_ids = self.item_ids[first:last]
        scores = torch.as_tensor(self.score(item_ids)).detach()
        wanted = (self.num_targets, len(item_ids))
        if tuple(scores.shape) != wanted:
            raise InvalidInputError(
                f"the score callable returned shape {tuple(scores.shape)} for {len(item_ids)} "
                f"item ids; it must be (targets.size, number of ids) = {wanted}"
            )
        return scores.float()
