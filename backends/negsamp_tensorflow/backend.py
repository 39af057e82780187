"""The backend class: converts tensors, splits rows into chunks and calls the kernels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow import Tensor

from negsamp import validation
from negsamp.backend import Candidates, Catalogue, check_framework
from negsamp.blocks import BLOCK, rows_at_once
from negsamp.negatives import Negatives
from negsamp.scores import DotProduct, Scorer
from negsamp.stream import NEGATIVES, Stream
from negsamp_tensorflow import by_score, by_weight
from negsamp_tensorflow.candidates import Columns, one_for_all_rows, one_for_each_row
from negsamp_tensorflow.draws import Draws, in_chunks, negatives
from negsamp_tensorflow.rows import Rows, UserItems, gather
from negsamp_tensorflow.scores import CalledScores, OwnScores, Scores, SharedScores
from negsamp_tensorflow.stream import words
from negsamp_tensorflow.tracing import no_autograph, unrecorded

__all__ = ["TensorflowBackend"]


class TensorflowBackend:
    """Draws with TensorFlow; see :class:`negsamp.backend.Backend` for the contract.

    Inside ``tf.function`` the key and the call of a stream, alpha, and the number of candidates may
    be tensors: those of the variables of :class:`GraphSampler`.

    Attributes
    ----------
    rows_per_chunk, scores_per_tile, blocks_per_chunk, places_per_chunk : int
        Bounds of the memory in use: rows processed at once, scores of a tile (float32), block
        masses of a chunk (8 bytes), and entries of a chunk's rows x items tables, which rows with
        their own candidates need. Draws do not depend on them beyond rounding.
    """

    rows_per_chunk = 512
    blocks_per_chunk = 1 << 21
    scores_per_tile = 1 << 20
    places_per_chunk = 1 << 22

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        with tf.init_scope():
            self._user_items = UserItems.of(catalogue)
            cumulative = catalogue.cumulative
            self._cumulative = None if cumulative is None else tf.constant(cumulative, tf.int64)

    @staticmethod
    def report() -> Mapping[str, str]:
        """Return TensorFlow's version and the devices it sees."""
        devices = ["cpu"]
        for place, device in enumerate(tf.config.list_physical_devices("GPU")):
            details = tf.config.experimental.get_device_details(device)
            devices.append(f"gpu:{place} ({details.get('device_name', 'GPU')})")
        return {"version": f"TensorFlow {tf.__version__}", "devices": ", ".join(devices)}

    def asarray(self, values: Any, like: Any = None) -> Tensor:
        """Return `values` as a tensor that stops gradients."""
        check_framework("tensorflow", "TensorFlow tensors and NumPy arrays", values)
        try:
            return tf.stop_gradient(tf.convert_to_tensor(values))
        except (TypeError, ValueError) as error:
            raise validation.no_array(values, error) from None

    def to_numpy(self, array: Tensor) -> npt.NDArray[Any]:
        """Copy a tensor to the host; bfloat16 becomes float32."""
        array = tf.cast(array, tf.float32) if array.dtype == tf.bfloat16 else array
        return np.asarray(array)

    def rows(self, targets: Tensor, users: Any, mask: Any, exclude: Any) -> Rows:
        """Check ids and users, and gather exclusions."""
        return gather(self._catalogue.items, self._user_items, targets, users, mask, exclude)

    @no_autograph
    def check(self, wait: bool) -> None:
        """Do nothing: every call raises its own errors."""

    def candidates(self, rows: Rows, stream: Stream, candidates: Candidates) -> Tensor:
        """Return the pre-selected positions."""
        numbers = rows.order[: rows.num_sampled] if candidates.per_row else None
        return self._columns(stream, candidates, numbers).places

    def by_weight(
        self, rows: Rows, stream: Stream, num_negatives: int, replacement: bool
    ) -> Negatives:
        """Draw in proportion to the weights of the catalogue."""
        draws = self.draw_by_weight(rows, stream, num_negatives, replacement)
        return self.negatives(rows, draws)

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
        draws = self.draw_by_score(
            rows, stream, num_negatives, replacement, score, alpha, candidates
        )
        return self.negatives(rows, draws, candidates)

    @no_autograph
    def draw_by_weight(
        self, rows: Rows, stream: Stream, num_negatives: int, replacement: bool
    ) -> Draws:
        """Draw for :meth:`by_weight` without raising: errors are recorded in the result."""
        drawn = self._words(rows, stream, num_negatives)

        def draw(numbers: Tensor) -> Draws:
            excluded = rows.excluded(self._user_items, numbers)
            own = tf.gather(drawn, numbers)
            return by_weight.draw(excluded, own, replacement, self._cumulative)

        return in_chunks(rows, self.rows_per_chunk, num_negatives, draw)

    @no_autograph
    def draw_by_score(
        self,
        rows: Rows,
        stream: Stream,
        num_negatives: int,
        replacement: bool,
        score: Scorer,
        alpha: Any,
        candidates: Candidates | None,
    ) -> Draws:
        """Draw for :meth:`by_score`; errors that the kernels find are recorded in the result."""
        num_items, called = len(self._catalogue.items), not isinstance(score, DotProduct)
        if isinstance(score, DotProduct):
            score = DotProduct(self.asarray(score.queries), self.asarray(score.items))
        drawn = self._words(rows, stream, num_negatives)
        own = candidates if candidates is not None and candidates.per_row else None
        if called and own is not None:
            raise validation.callable_per_row()
        shared = Columns(num_items, num_items)
        if candidates is not None and own is None:
            shared = self._columns(stream, candidates, None)
        dim = 1
        if isinstance(score, DotProduct) and own is not None:  # whose items are gathered row by row
            dim = int(score.items.shape[1])
        again = num_negatives if replacement and not called else 0
        at_once = self._rows_at_once(candidates, again, dim)
        size = rows.num_rows if called else at_once

        def draw(numbers: Tensor) -> Draws:
            columns = shared if own is None else self._columns(stream, own, numbers)
            excluded = columns.columns_of(rows.excluded(self._user_items, numbers).places)
            scores = self._scores(score, columns, numbers, rows, alpha)
            known = numbers.shape[0]
            tile = self.scores_per_tile // dim // (at_once if known is None else known)
            words_of_chunk = tf.gather(drawn, numbers)
            draws = by_score.draw(scores, excluded, words_of_chunk, replacement, max(tile, 1))
            return draws._replace(places=columns.places_of(draws.places))

        with unrecorded():
            return in_chunks(rows, size, num_negatives, draw)

    def negatives(
        self, rows: Rows, draws: Draws, candidates: Candidates | None = None
    ) -> Negatives:
        """Raise the errors recorded in `draws`, and return the negatives of all targets."""
        count = None if candidates is None else candidates.count
        return negatives(self._catalogue.items, rows, draws, count)

    def _words(self, rows: Rows, stream: Stream, num_negatives: int) -> Tensor:
        drawn = words(stream, NEGATIVES, rows.num_rows * num_negatives)
        return tf.reshape(drawn, tf.stack([rows.num_rows, num_negatives, 2]))

    def _columns(self, stream: Stream, candidates: Candidates, numbers: Tensor | None) -> Columns:
        num_items = len(self._catalogue.items)
        if numbers is None:
            return one_for_all_rows(stream, num_items, candidates.count)
        return one_for_each_row(stream, num_items, candidates.count, numbers)

    def _rows_at_once(self, candidates: Candidates | None, num_negatives: int, dim: int) -> int:
        """Return the rows of a chunk, if a score takes `dim` values of a tile.

        `num_negatives` counts the draws of a row that need no block again if a tile holds all.
        """
        num_items = len(self._catalogue.items)
        size = min(self.rows_per_chunk, self.blocks_per_chunk * BLOCK // num_items)
        if candidates is not None and candidates.per_row:
            size = min(size, self.places_per_chunk // num_items)
        width = num_items if candidates is None else candidates.count
        if not tf.is_tensor(width):
            size = rows_at_once(size, self.scores_per_tile, width, num_negatives, dim)
        return max(size, 1)

    def _scores(
        self, score: Scorer, columns: Columns, numbers: Tensor, rows: Rows, alpha: Any
    ) -> Scores:
        """Return the scores of a chunk of rows."""
        start, alpha = self._catalogue.items.start, tf.cast(alpha, tf.float32)
        if not isinstance(score, DotProduct):
            return CalledScores(score, start, columns, numbers, rows.num_rows, alpha)
        dim = int(score.items.shape[1])
        queries = tf.gather(tf.reshape(score.queries, [-1, dim]), numbers)
        queries = tf.cast(queries, tf.float32) * alpha
        if columns.places is not None and columns.places.shape.rank == 2:
            return OwnScores(queries, score.items, start, columns)
        return SharedScores(queries, score.items, start, columns)
