"""Sources of the scores of a chunk of rows: by tiles in pass 1, by blocks in pass 2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from negsamp import validation
from negsamp.blocks import BLOCK
from negsamp.scores import Scorer
from negsamp_numpy import arrays
from negsamp_numpy.rows import Integers

__all__ = ["CalledScores", "Drawn", "OwnScores", "Scores", "SharedScores", "as_float32"]

Floats = npt.NDArray[np.float32]

Drawn = tuple[Integers, Integers, Floats]
"""A batch of draws: their rows, their numbers within the row, and (draws, BLOCK) scores."""

_overflow_ignored = np.errstate(over="ignore", invalid="ignore")
"""No warnings: overflow shows in the block masses, which are checked, unless it is excluded."""


@_overflow_ignored
def as_float32(numbers: npt.NDArray[Any]) -> Floats:
    """Return numbers as float32, infinite beyond its range."""
    return numbers.astype(np.float32, copy=False)


class Scores(Protocol):
    """float32 scores of rows x columns; a column is a position, or the index of a candidate."""

    @property
    def width(self) -> int:
        """Number of columns."""
        ...

    def tile(self, first: int, last: int) -> Floats:
        """Return columns [first, last) of all rows."""
        ...

    def blocks(self, block: Integers) -> Iterator[Drawn]:
        """Yield the scores of the blocks of all draws, (rows, draws), in batches of len(rows).

        Scores are -inf beyond the last column.
        """
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

    @_overflow_ignored
    def tile(self, first: int, last: int) -> Floats:
        """Multiply the queries by the embeddings of the tile."""
        return self.queries @ self.table[first:last].astype(np.float32, copy=False).T

    def blocks(self, block: Integers) -> Iterator[Drawn]:
        """Multiply, draw by draw, with one product for all rows that need the same block."""
        return _draw_by_draw(block, self._one_block)

    @_overflow_ignored
    def _one_block(self, block: Integers) -> Floats:
        scores = np.full((len(self.queries), BLOCK), -np.inf, dtype=np.float32)
        for wanted in np.unique(block):
            rows = np.flatnonzero(block == wanted)
            table = self.table[wanted * BLOCK : (wanted + 1) * BLOCK].astype(np.float32)
            scores[rows, : len(table)] = self.queries[rows] @ table.T
        return scores


@dataclass(frozen=True)
class OwnScores:
    """Dot products of each query with its own (rows, columns) places of a table."""

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

    def blocks(self, block: Integers) -> Iterator[Drawn]:
        """Gather, draw by draw, the block of each row and multiply."""
        return _draw_by_draw(block, self._one_block)

    def _one_block(self, block: Integers) -> Floats:
        columns = block[:, None] * BLOCK + np.arange(BLOCK)
        beyond = columns >= self.width
        places = np.take_along_axis(self.places, np.where(beyond, 0, columns), axis=1)
        return np.where(beyond, np.float32(-np.inf), self._products(places))

    @_overflow_ignored
    def _products(self, places: Integers) -> Floats:
        table = self.table[places].astype(np.float32, copy=False)
        products: Floats = np.matmul(table, self.queries[:, :, None])[:, :, 0]
        return products


@dataclass(frozen=True)
class CalledScores:
    """Scores by a callable of `item_ids`, of which the rows `numbers` are sampled."""

    score: Scorer
    item_ids: Integers
    numbers: Integers
    num_targets: int

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.item_ids)

    def tile(self, first: int, last: int) -> Floats:
        """Call the scorer for the ids of the tile."""
        item_ids = self.item_ids[first:last]
        scores = self.score(item_ids.copy())
        validation.check_returned(scores, self.num_targets, len(item_ids))
        return as_float32(arrays.to_numpy(scores)[self.numbers])

    def blocks(self, block: Integers) -> Iterator[Drawn]:
        """Call once per distinct block: draws are sorted by block, and the last result is kept."""
        order = np.argsort(block, axis=None, kind="stable")
        called, returned = -1, np.empty((0, 0), dtype=np.float32)
        for start in range(0, block.size, len(block)):
            row, draw = np.unravel_index(order[start : start + len(block)], block.shape)
            own = block[row, draw]
            scores = np.full((len(block), BLOCK), -np.inf, dtype=np.float32)
            for wanted in np.unique(own).tolist():
                if wanted != called:
                    first = wanted * BLOCK
                    called, returned = wanted, self.tile(first, min(first + BLOCK, self.width))
                here = np.flatnonzero(own == wanted)
                scores[here, : returned.shape[1]] = returned[row[here]]
            yield row, draw, scores


def _draw_by_draw(block: Integers, one_block: Callable[[Integers], Floats]) -> Iterator[Drawn]:
    rows = np.arange(len(block))
    for draw in range(block.shape[1]):
        yield rows, np.full_like(rows, draw), one_block(block[:, draw])
