"""Sources of the scores of a chunk of rows: by tiles in pass 1, by blocks in pass 2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from negsamp import validation
from negsamp.scores import Scorer
from negsamp_numba import arrays
from negsamp_numba.compiling import kernel, part
from negsamp_numba.embeddings import Embeddings, Floats
from negsamp_numba.power import BLOCK
from negsamp_numba.rows import Integers

__all__ = ["CalledScores", "Drawn", "HeldScores", "OwnScores", "Scores", "SharedScores"]

Drawn = tuple[Integers, Floats]
"""A batch of len(rows) draws: flat indices into (draws, rows), and the scores of their blocks."""

_VALUES_AT_ONCE = 1 << 18
"""Embedding values converted to float32 at once where each row has its own candidates: 1 MiB."""


class Scores(Protocol):
    """float32 scores of rows x columns; a column is a position, or the index of a candidate."""

    @property
    def width(self) -> int:
        """Number of columns."""
        ...

    def bound(self) -> float:
        """Return a bound on the absolute scores; NaN or inf if none is known."""
        ...

    def tile(self, first: int, last: int, out: Floats) -> None:
        """Write columns [first, last) of all rows to `out`."""
        ...

    def blocks(self, block: Integers, out: Floats) -> Iterator[Drawn]:
        """Yield the scores of the blocks of all draws, (draws, rows), in batches that fill `out`.

        Scores are -inf beyond the last column.
        """
        ...


@dataclass(frozen=True)
class SharedScores:
    """Dot products of (rows, dim) queries with one table for all rows."""

    queries: Floats
    table: Embeddings
    largest_norm: float

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.table)

    def bound(self) -> float:
        """Bound by the norms (Cauchy-Schwarz)."""
        return self.largest_norm * Embeddings(self.queries).largest_norm()

    def tile(self, first: int, last: int, out: Floats) -> None:
        """Multiply by BLAS."""
        with np.errstate(over="ignore", invalid="ignore"):  # masses show bad scores
            np.matmul(self.queries, self.table[first:last].T, out=out)

    def blocks(self, block: Integers, out: Floats) -> Iterator[Drawn]:
        """Multiply each row with its block; other dtypes are converted block by block."""
        return _draw_by_draw(block, out, self._one_block)

    def _one_block(self, block: Integers, out: Floats) -> None:
        table = self.table.whole()
        if table is not None:
            _multiply_blocks(self.queries, table, block, block, self.width, out)
            return
        wanted, place = np.unique(block, return_inverse=True)
        lines = np.minimum(wanted[:, None] * BLOCK + np.arange(BLOCK), self.width - 1).reshape(-1)
        table = arrays.read_only(self.table[lines])
        _multiply_blocks(self.queries, table, place, block, self.width, out)


@dataclass(frozen=True)
class OwnScores:
    """Dot products of each query with its own (rows, columns) places of the table."""

    products: SharedScores
    places: Integers

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.places.shape[1])

    def bound(self) -> float:
        """Bound the scores of all items."""
        return self.products.bound()

    def tile(self, first: int, last: int, out: Floats) -> None:
        """Multiply embeddings in place; other dtypes are gathered and converted first."""
        self._multiply(self.places[:, first:last], out)

    def blocks(self, block: Integers, out: Floats) -> Iterator[Drawn]:
        """Multiply the block of each row."""
        return _draw_by_draw(block, out, self._one_block)

    def _one_block(self, block: Integers, out: Floats) -> None:
        columns = block[:, None] * BLOCK + np.arange(BLOCK)
        beyond = columns >= self.width
        places = np.take_along_axis(self.places, np.where(beyond, 0, columns), axis=1)
        self._multiply(places, out)
        out[beyond] = -np.inf

    def _multiply(self, places: Integers, out: Floats) -> None:
        queries, embeddings = self.products.queries, self.products.table
        table = embeddings.whole()
        if table is not None:
            _multiply_places(queries, table, places, out)
            return
        step = max(_VALUES_AT_ONCE // max(places.shape[1] * embeddings.dim, 1), 1)
        for first in range(0, len(places), step):
            part = places[first : first + step]
            table = arrays.read_only(embeddings[part.reshape(-1)])
            each = np.arange(part.size).reshape(part.shape)
            _multiply_places(queries[first : first + step], table, each, out[first:])


@dataclass(frozen=True)
class CalledScores:
    """Scores by a callable of `item_ids`, of which the rows `numbers` are sampled."""

    score: Scorer
    item_ids: Integers
    numbers: Integers
    num_targets: int
    like: Any

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.item_ids)

    def bound(self) -> float:
        """Return inf: nothing is known of the scores of a callable."""
        return np.inf

    def tile(self, first: int, last: int, out: Floats) -> None:
        """Call the scorer for the ids of the tile."""
        out[...] = arrays.as_float32(self._call(first, last)[self.numbers])

    def blocks(self, block: Integers, out: Floats) -> Iterator[Drawn]:
        """Call once per distinct block: draws are sorted by block, and the last result is kept."""
        order = np.argsort(block, axis=None, kind="stable")
        called, returned = -1, np.empty((0, 0), np.float32)
        for places in order.reshape(block.shape):
            own, numbers = block.reshape(-1)[places], self.numbers[places % len(self.numbers)]
            out[...] = -np.inf
            for wanted in np.unique(own).tolist():
                if wanted != called:
                    first = wanted * BLOCK
                    called, returned = wanted, self._call(first, min(first + BLOCK, self.width))
                here = np.flatnonzero(own == wanted)
                out[here, : returned.shape[1]] = arrays.as_float32(returned[numbers[here]])
            yield places, out

    def _call(self, first: int, last: int) -> npt.NDArray[Any]:
        item_ids = self.item_ids[first:last]
        scores = self.score(arrays.to_framework_of(self.like, item_ids.copy()))
        validation.check_returned(scores, self.num_targets, len(item_ids))
        return arrays.to_numpy(scores)


@dataclass(frozen=True)
class HeldScores:
    """Scores kept from pass 1, whose one tile held all columns; padded with -inf."""

    tile: Floats

    def blocks(self, block: Integers, out: Floats) -> Iterator[Drawn]:
        """Copy the blocks from the tile."""
        return _draw_by_draw(block, out, lambda block, out: _copy_blocks(self.tile, block, out))


def _draw_by_draw(
    block: Integers, out: Floats, one_block: Callable[[Integers, Floats], None]
) -> Iterator[Drawn]:
    for places, own in zip(np.arange(block.size).reshape(block.shape), block, strict=True):
        one_block(own, out)
        yield places, out


@kernel
def _copy_blocks(scores: Floats, block: Integers, out: Floats) -> None:
    for row in range(len(block)):
        first = block[row] * BLOCK
        out[row] = scores[row, first : first + BLOCK]


@part("reassoc", "contract", "nsz")
def _four_products(
    query: Floats, table: Floats, lines: tuple[int, int, int, int]
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Multiply a query by four table rows: as fast as by one where the cache is the limit."""
    p0 = p1 = p2 = p3 = np.float32(0)
    t0, t1, t2, t3 = table[lines[0]], table[lines[1]], table[lines[2]], table[lines[3]]
    for axis in range(len(query)):
        p0 += query[axis] * t0[axis]
        p1 += query[axis] * t1[axis]
        p2 += query[axis] * t2[axis]
        p3 += query[axis] * t3[axis]
    return p0, p1, p2, p3


@kernel
def _multiply_blocks(
    queries: Floats, table: Floats, place: Integers, block: Integers, width: int, out: Floats
) -> None:
    """Multiply query r by block place[r] of `table`, which is block[r] of all columns."""
    for row in range(len(block)):
        inside = min(BLOCK, width - block[row] * BLOCK)
        first = place[row] * BLOCK
        last = first + inside - 1
        for c in range(0, inside, 4):
            line = first + c
            lines = line, min(line + 1, last), min(line + 2, last), min(line + 3, last)
            out[row, c], out[row, c + 1], out[row, c + 2], out[row, c + 3] = _four_products(
                queries[row], table, lines
            )
        out[row, inside:] = -np.inf


@kernel
def _multiply_places(queries: Floats, table: Floats, places: Integers, out: Floats) -> None:
    """Multiply query r by the rows places[r] of `table`."""
    last = places.shape[1] - 1
    for row in range(len(places)):
        line = places[row]
        for c0 in range(0, last + 1, 4):
            c1, c2, c3 = min(c0 + 1, last), min(c0 + 2, last), min(c0 + 3, last)
            lines = line[c0], line[c1], line[c2], line[c3]
            out[row, c0], out[row, c1], out[row, c2], out[row, c3] = _four_products(
                queries[row], table, lines
            )
