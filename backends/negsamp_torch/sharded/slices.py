"""What a rank holds of the catalogue, and the scores of it for some rows."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Protocol

import torch
from torch import Tensor

from negsamp.scores import Scorer
from negsamp_torch.rows import Rows
from negsamp_torch.scores import CalledScores, Scores, SharedScores, Table
from negsamp_torch.sharded.aligned import Aligned, OwnRuns
from negsamp_torch.sharded.columns import Columns

__all__ = ["CalledSlice", "Slice", "TableSlice"]


class Slice(Protocol):
    """What scores the columns of a rank."""

    def scores(
        self, first_row: int, rows: Rows, columns: Columns, candidates: Tensor | None
    ) -> Scores:
        """Return the scores of the columns of this rank, from their origin on.

        Parameters
        ----------
        first_row : int
            Which of the rows of the call is the first of `rows`.
        rows : Rows
        columns : Columns
        candidates : int64 Tensor, shape (count,) or (rows, count), or None
            The places that columns are; None: all places.
        """
        ...


@dataclass(frozen=True)
class TableSlice:
    """Lines of an item table.

    Attributes
    ----------
    queries : float32, shape (rows of the call, dim)
    table : Table
        The lines of this rank that are in the catalogue; where candidates are shared, of these.
    first_place : int
        The place in the catalogue of the first line.
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
        """Take, of lines from `first_item` on, those in the catalogue or of shared candidates."""
        lines = lines[max(items.start - first_item, 0) : max(items.stop - first_item, 0)]
        first_place = min(max(first_item - items.start, 0), len(items))
        if candidates is None:
            return cls(queries, Table.of(lines), first_place)
        there = (candidates >= first_place) & (candidates < first_place + len(lines))
        return cls(queries, Table.of(lines, candidates[there] - first_place), first_place)

    def scores(
        self, first_row: int, rows: Rows, columns: Columns, candidates: Tensor | None
    ) -> Scores:
        """Multiply."""
        queries = self.queries[first_row : first_row + len(rows)]
        if candidates is not None and candidates.ndim == 2:
            return OwnRuns(queries, self.table, columns.runs(candidates) - self.first_place)
        return Aligned(SharedScores(queries, self.table), int(columns.begin - columns.origin))


@dataclass(frozen=True)
class CalledSlice:
    """A callable for the ids of a rank, the first of the catalogue being `first_item`."""

    score: Scorer
    first_item: int

    def scores(
        self, first_row: int, rows: Rows, columns: Columns, candidates: Tensor | None
    ) -> Scores:
        """Call."""
        begin, end = int(columns.begin), int(columns.end)
        if candidates is None:
            places = torch.arange(begin, end, device=rows.numbers.device)
        else:
            places = candidates[begin:end]
        ids = self.first_item + places
        called = CalledScores(self.score, ids, rows.numbers, prod(rows.shape))
        return Aligned(called, int(columns.begin - columns.origin))
