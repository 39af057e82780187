"""A rank's slice of the catalogue, and its scores for some rows."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Protocol

import torch
from torch import Tensor

from negsamp.scores import Scorer
from negsamp_torch.rows import Rows
from negsamp_torch.scores import CalledScores, Scores, SharedScores, Table
from negsamp_torch.sharded.aligned import Aligned, PaddedOwnScores
from negsamp_torch.sharded.columns import Columns

__all__ = ["CalledSlice", "Slice", "TableSlice"]


class Slice(Protocol):
    """Scores the columns of a rank."""

    def scores(
        self, first_row: int, rows: Rows, columns: Columns, candidates: Tensor | None
    ) -> Scores:
        """Return the scores of the columns of this rank, from their origin on.

        Parameters
        ----------
        first_row : int
            Index in the call of the first of `rows`.
        rows : Rows
        columns : Columns
        candidates : int64 Tensor, shape (count,) or (rows, count), or None
            The place of each column; None if every place is a column.
        """
        ...


@dataclass(frozen=True)
class TableSlice:
    """Rows of an item table.

    Attributes
    ----------
    queries : float32, shape (rows of the call, dim)
    table : Table
        This rank's embeddings of the catalogue, or of the shared candidates if there are such.
    first_place : int
        Place in the catalogue of the first embedding.
    """

    queries: Tensor
    table: Table
    first_place: int

    @classmethod
    def of(
        cls,
        queries: Tensor,
        lines: Tensor,
        first_item: int,
        items: range,
        candidates: Tensor | None,
    ) -> TableSlice:
        """Select from `lines`, with ids from `first_item` on, the catalogue or the candidates."""
        lines = lines[max(items.start - first_item, 0) : max(items.stop - first_item, 0)]
        first_place = min(max(first_item - items.start, 0), len(items))
        if candidates is None:
            return cls(queries, Table.of(lines), first_place)
        there = (candidates >= first_place) & (candidates < first_place + len(lines))
        return cls(queries, Table.of(lines, candidates[there] - first_place), first_place)

    def scores(
        self, first_row: int, rows: Rows, columns: Columns, candidates: Tensor | None
    ) -> Scores:
        """Score by dot products."""
        queries = self.queries[first_row : first_row + len(rows)]
        if candidates is not None and candidates.ndim == 2:
            places = columns.runs(candidates) - self.first_place
            return PaddedOwnScores(queries, self.table, places)
        return Aligned(SharedScores(queries, self.table), int(columns.begin - columns.origin))


@dataclass(frozen=True)
class CalledSlice:
    """A callable for the ids of a rank; the catalogue begins at `first_item`."""

    score: Scorer
    first_item: int

    def scores(
        self, first_row: int, rows: Rows, columns: Columns, candidates: Tensor | None
    ) -> Scores:
        """Score by the callable."""
        begin, end = int(columns.begin), int(columns.end)
        if candidates is None:
            places = torch.arange(begin, end, device=rows.numbers.device)
        else:
            places = candidates[begin:end]
        ids = self.first_item + places
        called = CalledScores(self.score, ids, rows.numbers, prod(rows.shape))
        return Aligned(called, int(columns.begin - columns.origin))
