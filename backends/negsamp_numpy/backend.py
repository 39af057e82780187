"""The backend class: converts arrays, splits rows into chunks and calls the kernels."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from negsamp import validation
from negsamp.backend import Candidates, Catalogue, check_framework
from negsamp.blocks import BLOCK
from negsamp.negatives import Negatives
from negsamp.scores import DotProduct, Scorer
from negsamp.stream import Stream
from negsamp_numpy import arrays, by_score, by_weight
from negsamp_numpy.candidates import one_for_all_rows, one_for_each_row
from negsamp_numpy.rows import Integers, Rows, gather
from negsamp_numpy.scores import (
    CalledScores,
    OwnScores,
    Scores,
    SharedScores,
    as_float32,
)

__all__ = ["NumpyBackend"]


class NumpyBackend:
    """Draws with NumPy; see :class:`negsamp.backend.Backend` for the contract.

    Attributes
    ----------
    name : str
        Name of the entry point, for errors; a derived backend sets its own.
    rows_per_chunk, scores_per_tile, blocks_per_chunk : int
        Bounds of the memory in use: rows processed at once, scores of a tile (float32), and block
        masses of a chunk (8 bytes). Draws do not depend on them beyond rounding.
    """

    name = "numpy"
    rows_per_chunk = 512
    blocks_per_chunk = 1 << 21
    scores_per_tile = 1 << 20

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    @staticmethod
    def report() -> Mapping[str, str]:
        """Return NumPy's version."""
        return {"version": f"NumPy {np.__version__}", "devices": "cpu"}

    def asarray(self, values: Any, like: Any = None) -> npt.NDArray[Any]:
        """Return `values` as a NumPy array."""
        check_framework(self.name, "NumPy arrays", values)
        return arrays.to_numpy(values)

    def to_numpy(self, array: Any) -> npt.NDArray[Any]:
        """Return the array itself, or what a callable returned as an array."""
        return arrays.to_numpy(array)

    def rows(self, targets: Any, users: Any, mask: Any, exclude: Any) -> Rows:
        """Check ids and users, and gather exclusions."""
        return gather(self._catalogue, targets, users, mask, exclude)

    def check(self, wait: bool) -> None:
        """Do nothing: every call raises its own errors."""

    def candidates(self, rows: Rows, stream: Stream, candidates: Candidates) -> Integers:
        """Return the pre-selected positions."""
        width = len(self._catalogue.items)
        if candidates.per_row:
            return one_for_each_row(stream, width, candidates.count, rows.numbers)
        return one_for_all_rows(stream, width, candidates.count)

    def by_weight(
        self, rows: Rows, stream: Stream, num_negatives: int, replacement: bool
    ) -> Negatives:
        """Draw in proportion to the weights of the catalogue."""
        result = _Result(rows, num_negatives)
        for chunk in rows.chunks(self.rows_per_chunk):
            positions, log_q = by_weight.draw(
                chunk, stream, num_negatives, replacement, self._catalogue.cumulative
            )
            result.put(chunk, self._catalogue.items.start + positions, log_q)
        return result.negatives()

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
        result = _Result(rows, num_negatives)
        called = not isinstance(score, DotProduct)
        own = candidates if candidates is not None and candidates.per_row else None
        if called and own is not None:
            raise validation.callable_per_row()
        shared = None
        if candidates is not None and own is None:
            shared = self.candidates(rows, stream, candidates)
        fitting = self.blocks_per_chunk * BLOCK // len(self._catalogue.items)
        size = len(rows) if called else max(min(self.rows_per_chunk, fitting), 1)
        for chunk in rows.chunks(size):
            places = shared if own is None else self.candidates(chunk, stream, own)
            columns, log_q = by_score.draw(
                chunk,
                chunk.excluded if places is None else chunk.excluded.among(places),
                self._scores(chunk, score, places),
                alpha,
                stream,
                num_negatives,
                replacement,
                tile=max(self.scores_per_tile // len(chunk), 1),
            )
            if places is not None:
                columns = places[columns] if own is None else np.take_along_axis(places, columns, 1)
            result.put(chunk, self._catalogue.items.start + columns, log_q)
        return result.negatives()

    def _scores(self, chunk: Rows, score: Scorer, places: Integers | None) -> Scores:
        items = self._catalogue.items
        if not isinstance(score, DotProduct):
            ids = items.start + (np.arange(len(items)) if places is None else places)
            return CalledScores(score, ids, chunk.numbers, prod(chunk.shape))
        table = self.asarray(score.items)[items.start : items.stop]
        queries = self.asarray(score.queries).reshape(-1, table.shape[1])
        queries = as_float32(queries[chunk.numbers])
        if places is not None and places.ndim == 2:
            return OwnScores(queries, table, places)
        return SharedScores(queries, table if places is None else table[places])


class _Result:
    """Ids and log-probabilities of all targets, filled chunk by chunk; 0 where masked."""

    def __init__(self, rows: Rows, num_negatives: int) -> None:
        self._shape = (*rows.shape, num_negatives)
        num_targets = prod(rows.shape)
        self._item_ids = np.zeros((num_targets, num_negatives), dtype=np.int64)
        self._log_q = np.zeros((num_targets, num_negatives), dtype=np.float32)

    def put(self, chunk: Rows, item_ids: Integers, log_q: npt.NDArray[np.float64]) -> None:
        self._item_ids[chunk.numbers], self._log_q[chunk.numbers] = item_ids, as_float32(log_q)

    def negatives(self) -> Negatives:
        return Negatives(self._item_ids.reshape(self._shape), self._log_q.reshape(self._shape))
