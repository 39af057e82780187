"""Where the scores of a chunk of rows come from, tile by tile and block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from negsamp import validation
from negsamp.scores import Scorer
from negsamp_numpy import arrays
from negsamp_numpy.rows import Integers

__all__ = ["BLOCK", "CalledScores", "OwnScores", "Scores", "SharedScores"]

BLOCK = 128
"""Columns a block: the unit of the two-level draw, the same on every backend."""

Floats = npt.NDArray[np.float32]

_quietly = np.errstate(over="ignore", invalid="ignore")
"""Products that overflow are found, and told of, where blocks are summed; if they count."""


class Scores(Protocol):
    """float32 scores of rows by columns, a column being a place among the candidates."""

    @property
    def width(self) -> int:
        """Number of columns."""
        ...

    def tile(self, first: int, last: int) -> Floats:
        """Return columns [first, last) of all rows."""
        ...

    def blocks(self, block: Integers) -> Floats:
        """Return one block of each row, (rows, BLOCK), -inf beyond the last column."""
        ...


@dataclass(frozen=True)
class SharedScores:
    """Dot products of (rows, dim) queries with one (columns, dim) table for all rows."""

    queries: Floats
    table: npt.NDArray[Any]

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.table)

    @_quietly
    def tile(self, first: int, last: int) -> Floats:
        """Multiply."""
        return self.queries @ self.table[first:last].astype(np.float32, copy=False).T

    @_quietly
    def blocks(self, block: Integers) -> Floats:
        """Multiply the rows that want the same block together."""
        scores = np.full((len(self.queries), BLOCK), -np.inf, dtype=np.float32)
        for wanted in np.unique(block):
            rows = np.flatnonzero(block == wanted)
            table = self.table[wanted * BLOCK : (wanted + 1) * BLOCK].astype(np.float32)
            scores[rows, : len(table)] = self.queries[rows] @ table.T
        return scores


@dataclass(frozen=True)
class OwnScores:
    """Dot products of each query with its own line of (rows, columns) places in a table."""

    queries: Floats
    table: npt.NDArray[Any]
    places: Integers

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.places.shape[1])

    def tile(self, first: int, last: int) -> Floats:
        """Gather (rows, columns, dim) embeddings of one tile and multiply."""
        return self._products(self.places[:, first:last])

    def blocks(self, block: Integers) -> Floats:
        """Gather the block of each row and multiply."""
        columns = block[:, None] * BLOCK + np.arange(BLOCK)
        beyond = columns >= self.width
        places = np.take_along_axis(self.places, np.where(beyond, 0, columns), axis=1)
        return np.where(beyond, np.float32(-np.inf), self._products(places))

    @_quietly
    def _products(self, places: Integers) -> Floats:
        table = self.table[places].astype(np.float32, copy=False)
        products: Floats = np.matmul(table, self.queries[:, :, None])[:, :, 0]
        return products


@dataclass(frozen=True)
class CalledScores:
    """What a callable answers for `item_ids`, of which the lines `numbers` are sampled."""

    score: Scorer
    item_ids: Integers
    numbers: Integers
    num_targets: int

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.item_ids)

    def tile(self, first: int, last: int) -> Floats:
        """Call."""
        item_ids = self.item_ids[first:last]
        scores = self.score(item_ids.copy())
        validation.check_answer(scores, self.num_targets, len(item_ids))
        return arrays.to_numpy(scores)[self.numbers].astype(np.float32, copy=False)

    def blocks(self, block: Integers) -> Floats:
        """Call once for each distinct block."""
        scores = np.full((len(self.numbers), BLOCK), -np.inf, dtype=np.float32)
        for wanted in np.unique(block):
            rows = np.flatnonzero(block == wanted)
            first = int(wanted) * BLOCK
            tile = self.tile(first, min(first + BLOCK, self.width))
            scores[rows, : tile.shape[1]] = tile[rows]
        return scores
