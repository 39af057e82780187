"""The backend class: converts arrays, prepares the catalogue, divides rows among threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from math import prod
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from negsamp import validation
from negsamp.backend import Candidates, Catalogue
from negsamp.blocks import BLOCK, rows_at_once
from negsamp.negatives import Negatives
from negsamp.scores import DotProduct, Scorer
from negsamp.stream import Stream
from negsamp_numba import arrays, by_score, by_weight
from negsamp_numba.candidates import one_for_all_rows, one_for_each_row
from negsamp_numba.columns import list_columns
from negsamp_numba.embeddings import Embeddings, Floats
from negsamp_numba.rows import Integers, Rows, gather, lists_of
from negsamp_numba.scores import CalledScores, OwnScores, Scores, SharedScores
from negsamp_numba.threads import ONE_BLAS_THREAD, num_threads, share
from negsamp_numba.weights import weights_of

__all__ = ["NumbaBackend"]

ScoresOf = Callable[[Rows, Integers | None], Scores]
"""Makes the scores of some rows, given their own candidates if they have any."""


class NumbaBackend:
    """Draws with compiled kernels; see :class:`negsamp.backend.Backend` for the contract.

    Attributes
    ----------
    rows_per_chunk, scores_per_tile, blocks_per_chunk : int
        Bounds of the memory of a thread: rows processed at once, scores of a tile (float32), and
        block masses of a chunk. Draws do not depend on them beyond rounding.
    """

    rows_per_chunk = 1024
    scores_per_tile = 1 << 20
    blocks_per_chunk = 1 << 22

    def __init__(self, catalogue: Catalogue) -> None:
        self._items = catalogue.items
        self._lists = lists_of(catalogue)
        self._weights = weights_of(catalogue.cumulative)

    @staticmethod
    def report() -> Mapping[str, str]:
        """Return Numba's version and the number of threads."""
        device = f"cpu (NUMBA_NUM_THREADS = {num_threads()})"
        return {"version": f"Numba {numba.__version__}", "devices": device}

    def asarray(self, values: Any, like: Any = None) -> Any:
        """Return a tensor as it is, anything else as a NumPy array, or a tensor if `like` is."""
        return arrays.as_given(values, like)

    def to_numpy(self, array: Any) -> npt.NDArray[Any]:
        """Return a NumPy array that shares its memory."""
        return arrays.to_numpy(array)

    def rows(self, targets: Any, users: Any, mask: Any, exclude: Any) -> Rows:
        """Check ids and users, and gather what each row excludes."""
        like, targets = targets, arrays.to_numpy(targets)
        users, mask, exclude = (
            None if each is None else arrays.to_numpy(each) for each in (users, mask, exclude)
        )
        return gather(self._lists, self._items, targets, users, mask, exclude, like)

    def check(self, wait: bool) -> None:
        """Do nothing: every call raises its own errors."""

    def candidates(self, rows: Rows, stream: Stream, candidates: Candidates) -> Integers:
        """Return the pre-selected positions."""
        lines = self._lines(rows, stream, candidates)
        return lines if candidates.per_row else lines[0]

    def _lines(self, rows: Rows, stream: Stream, candidates: Candidates) -> Integers:
        """Return the pre-selected positions: (rows, count), or (1, count) if rows share them."""
        width = len(self._items)
        if candidates.per_row:
            lines = one_for_each_row(stream, width, candidates.count, rows.numbers)
        else:
            lines = one_for_all_rows(stream, width, candidates.count)[None, :]
        return arrays.read_only(lines)

    def by_weight(
        self, rows: Rows, stream: Stream, num_negatives: int, replacement: bool
    ) -> Negatives:
        """Draw in proportion to the weights of the catalogue."""
        item_ids, log_q = _new_results(rows, num_negatives)
        width = len(self._items)
        by_weight.draw(rows, stream, replacement, self._weights, width, item_ids, log_q)
        return _negatives(rows, item_ids, log_q)

    def by_score(
        self,
        rows: Rows,
        stream: Stream,
        num_negatives: int,
        replacement: bool,
        score: Scorer,
        alpha: float,
        candidates: Candidates | None,
    ) -> Negatives:
        """Draw in proportion to exp(alpha * score)."""
        own = candidates if candidates is not None and candidates.per_row else None
        shared = None
        if candidates is not None and own is None:
            shared = self._lines(rows, stream, candidates)
        held: AbstractContextManager[None] = nullcontext()  # a callable keeps its BLAS threads
        if isinstance(score, DotProduct):
            scores_of, threads, held = self._products(score, shared), num_threads(), ONE_BLAS_THREAD
            width = len(self._items) if candidates is None else candidates.count
            size = self._rows_per_chunk(len(rows), width, num_negatives, threads)
        elif own is None:
            scores_of, threads = self._called(rows, score, shared), 1
            size = max(len(rows), 1)
        else:
            raise validation.callable_per_row()
        item_ids, log_q = _new_results(rows, num_negatives)
        room = 0 if replacement else num_negatives

        def draw(part: Rows, tile: Floats) -> None:
            lines = shared if own is None else self._lines(part, stream, own)
            columns, logs = by_score.draw(
                part,
                list_columns(part.own, part.users, part.lists, lines, room),
                scores_of(part, None if own is None else lines),
                alpha,
                stream,
                num_negatives,
                replacement,
                tile,
                preselected=lines is not None,
            )
            places = columns if lines is None else np.take_along_axis(lines, columns, axis=1)
            item_ids[part.numbers], log_q[part.numbers] = self._items.start + places, logs

        with arrays.no_gradient(), held:
            self._share(rows, size, threads, draw)
        return _negatives(rows, item_ids, log_q)

    def _share(
        self, rows: Rows, size: int, threads: int, draw: Callable[[Rows, Floats], None]
    ) -> None:
        """Call `draw` for `size` rows at a time, with the tile of the thread that does."""

        def start() -> Callable[[int], None]:
            tile = np.empty(max(self.scores_per_tile, size * BLOCK), np.float32)
            return lambda task: draw(rows.part(task * size, (task + 1) * size), tile)

        share(start, -(-len(rows) // size), threads)

    def _rows_per_chunk(self, num_rows: int, width: int, num_negatives: int, threads: int) -> int:
        """Return the rows of a task: bounded, and such that all threads get equally many."""
        fitting = self.blocks_per_chunk * BLOCK // len(self._items)
        size = max(min(self.rows_per_chunk, fitting), 1)
        size = rows_at_once(size, self.scores_per_tile, width, num_negatives)
        rounds = max(-(-num_rows // (size * threads)), 1)
        return max(-(-num_rows // (rounds * threads)), 1)

    def _called(self, rows: Rows, score: Scorer, shared: Integers | None) -> ScoresOf:
        """Score by a callable, which is called only on the thread of the caller."""
        items = self._items
        ids = items.start + (np.arange(len(items)) if shared is None else shared[0])
        num_targets = prod(rows.shape)
        return lambda part, _: CalledScores(score, ids, part.numbers, num_targets, rows.like)

    def _products(self, score: DotProduct, shared: Integers | None) -> ScoresOf:
        """Score by dot products with all items, the `shared` candidates, or each row's own."""
        items = self._items
        table = Embeddings(arrays.as_given(score.items)[items.start : items.stop])
        if shared is not None:
            table = Embeddings(table[shared[0]])
        queries = arrays.to_numpy(arrays.as_given(score.queries)).reshape(-1, table.dim)
        largest_norm = table.largest_norm()

        def scores_of(part: Rows, lines: Integers | None) -> Scores:
            own = arrays.read_only(arrays.as_float32(queries[part.numbers]))
            products = SharedScores(own, table, largest_norm)
            return products if lines is None else OwnScores(products, lines)

        return scores_of


def _new_results(rows: Rows, num_negatives: int) -> tuple[Integers, Floats]:
    """Allocate ids and log-probabilities for all targets, 0 where masked."""
    shape = (prod(rows.shape), num_negatives)
    empty = np.empty if len(rows) == shape[0] else np.zeros
    return empty(shape, np.int64), empty(shape, np.float32)


def _negatives(rows: Rows, item_ids: Integers, log_q: Floats) -> Negatives:
    shape = (*rows.shape, item_ids.shape[1])
    return Negatives(
        *(arrays.to_framework_of(rows.like, a.reshape(shape)) for a in (item_ids, log_q))
    )
