"""Sources of the scores of a chunk of rows: by tiles in pass 1, by blocks in pass 2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from negsamp import validation
from negsamp.blocks import BLOCK
from negsamp.scores import Scorer
from negsamp_numba import arrays
from negsamp_numba.compiling import kernel, part
from negsamp_numba.embeddings import Embeddings, Floats
from negsamp_numba.rows import Integers

__all__ = ["Batch", "CalledScores", "HeldScores", "OwnScores", "Scores", "SharedScores"]

Batch = tuple[Integers, Floats]
"""A batch of requested blocks: their indices in the request, and their scores."""

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

    def blocks(self, rows: Integers, blocks: Integers, out: Floats) -> Iterator[Batch]:
        """Yield the scores of block blocks[n] of row rows[n] for all n, in batches that fit `out`.

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

    def blocks(self, rows: Integers, blocks: Integers, out: Floats) -> Iterator[Batch]:
        """Multiply each row with its block; other dtypes are converted block by block."""
        return _in_batches(rows, blocks, out, self._multiply)

    def _multiply(self, rows: Integers, blocks: Integers, out: Floats) -> None:
        table = self.table.whole()
        if table is not None:
            _multiply_blocks(self.queries, table, rows, blocks, blocks, self.width, out)
            return
        wanted, place = np.unique(blocks, return_inverse=True)
        lines = np.minimum(wanted[:, None] * BLOCK + np.arange(BLOCK), self.width - 1).reshape(-1)
        table = arrays.read_only(self.table[lines])
        _multiply_blocks(self.queries, table, rows, place, blocks, self.width, out)


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
        self._multiply(self.products.queries, self.places[:, first:last], out)

    def blocks(self, rows: Integers, blocks: Integers, out: Floats) -> Iterator[Batch]:
        """Multiply the block of each row."""
        return _in_batches(rows, blocks, out, self._multiply_blocks)

    def _multiply_blocks(self, rows: Integers, blocks: Integers, out: Floats) -> None:
        columns = blocks[:, None] * BLOCK + np.arange(BLOCK)
        beyond = columns >= self.width
        places = self.places[rows[:, None], np.where(beyond, 0, columns)]
        self._multiply(self.products.queries[rows], places, out)
        out[beyond] = -np.inf

    def _multiply(self, queries: Floats, places: Integers, out: Floats) -> None:
        embeddings = self.products.table
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

    def blocks(self, rows: Integers, blocks: Integers, out: Floats) -> Iterator[Batch]:
        """Call once for each distinct block."""
        order = np.argsort(blocks, kind="stable")
        called, answer = -1, np.empty((0, 0), np.float32)
        for first in range(0, len(order), len(out)):
            some = order[first : first + len(out)]
            own, numbers = blocks[some], self.numbers[rows[some]]
            inside = out[: len(some)]
            inside[...] = -np.inf
            for wanted in np.unique(own).tolist():
                if wanted != called:
                    start = wanted * BLOCK
                    called, answer = wanted, self._call(start, min(start + BLOCK, self.width))
                here = np.flatnonzero(own == wanted)
                inside[here, : answer.shape[1]] = arrays.as_float32(answer[numbers[here]])
            yield some, inside

    def _call(self, first: int, last: int) -> npt.NDArray[Any]:
        item_ids = self.item_ids[first:last]
        scores = self.score(arrays.to_framework_of(self.like, item_ids.copy()))
        validation.check_returned(scores, self.num_targets, len(item_ids))
        return arrays.to_numpy(scores)


@dataclass(frozen=True)
class HeldScores:
    """Scores kept from pass 1, whose one tile held all columns; padded with -inf."""

    tile: Floats

    def blocks(self, rows: Integers, blocks: Integers, out: Floats) -> Iterator[Batch]:
        """Copy from the tile."""
        return _in_batches(rows, blocks, out, partial(_copy_blocks, self.tile))


def _in_batches(
    rows: Integers,
    blocks: Integers,
    out: Floats,
    look_up: Callable[[Integers, Integers, Floats], None],
) -> Iterator[Batch]:
    """Look up the requested blocks in batches that fit `out`."""
    for first in range(0, len(rows), len(out)):
        some = np.arange(first, min(first + len(out), len(rows)))
        inside = out[: len(some)]
        look_up(rows[some], blocks[some], inside)
        yield some, inside


@kernel
def _copy_blocks(scores: Floats, rows: Integers, blocks: Integers, out: Floats) -> None:
    for index in range(len(blocks)):
        first = blocks[index] * BLOCK
        out[index] = scores[rows[index], first : first + BLOCK]


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
    queries: Floats,
    table: Floats,
    rows: Integers,
    place: Integers,
    blocks: Integers,
    width: int,
    out: Floats,
) -> None:
    """Multiply row rows[n] with the lines of block place[n] of `table`, blocks[n] of all."""
    for index in range(len(blocks)):
        query = queries[rows[index]]
        inside = min(BLOCK, width - blocks[index] * BLOCK)
        first = place[index] * BLOCK
        last = first + inside - 1
        for c in range(0, inside, 4):
            line = first + c
            lines = line, min(line + 1, last), min(line + 2, last), min(line + 3, last)
            out[index, c], out[index, c + 1], out[index, c + 2], out[index, c + 3] = _four_products(
                query, table, lines
            )
        out[index, inside:] = -np.inf


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
