"""Sources of the scores of a chunk of rows: by tiles in pass 1, by blocks in pass 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import tensorflow as tf
from tensorflow import Tensor

from negsamp import validation
from negsamp.blocks import BLOCK
from negsamp.scores import Scorer
from negsamp_tensorflow.candidates import Columns

__all__ = ["CalledScores", "OwnScores", "Scores", "SharedScores"]


class Scores(Protocol):
    """alpha times the float32 scores of rows x columns; arbitrary beyond the last column."""

    @property
    def columns(self) -> Columns:
        """What the columns stand for."""
        ...

    def tile(self, first: Tensor, size: int) -> Tensor:
        """Return columns [first, first + size) of all rows."""
        ...

    def blocks(self, block: Tensor) -> Tensor:
        """Return one block of each row, (rows, BLOCK)."""
        ...


@dataclass(frozen=True)
class SharedScores:
    """Dot products of (rows, dim) queries with columns that all rows share.

    Row i of `items` is the embedding of item id i; `start` is the first id of the catalogue.
    """

    queries: Tensor
    items: Tensor
    start: int
    columns: Columns

    def tile(self, first: Tensor, size: int) -> Tensor:
        """Gather the embeddings of the tile and multiply."""
        places = self.columns.places_of(first + tf.range(size, dtype=tf.int64))
        return tf.matmul(self.queries, self._embeddings(places), transpose_b=True)

    def blocks(self, block: Tensor) -> Tensor:
        """Gather the block of each row and multiply."""
        places = self.columns.places_of(block[:, None] * BLOCK + tf.range(BLOCK, dtype=tf.int64))
        return tf.linalg.matvec(self._embeddings(places), self.queries)

    def _embeddings(self, places: Tensor) -> Tensor:
        return tf.cast(tf.gather(self.items, self.start + places), tf.float32)


@dataclass(frozen=True)
class OwnScores(SharedScores):
    """Dot products of queries with columns of their own."""

    def tile(self, first: Tensor, size: int) -> Tensor:
        """Gather (rows, size, dim) embeddings and multiply."""
        columns = first + tf.range(size, dtype=tf.int64)
        rows = tf.shape(self.queries)[0]
        places = self.columns.places_of(tf.broadcast_to(columns, tf.stack([rows, size])))
        return tf.linalg.matvec(self._embeddings(places), self.queries)


@dataclass(frozen=True)
class CalledScores:
    """Scores by a callable, of which the rows `numbers` are sampled, times `alpha`."""

    score: Scorer
    start: int
    columns: Columns
    numbers: Tensor
    num_rows: Any
    alpha: Tensor

    def tile(self, first: Tensor, size: int) -> Tensor:
        """Call the scorer; in eager mode without the ids beyond the last column."""
        columns = first + tf.range(size, dtype=tf.int64)
        if tf.executing_eagerly():
            columns = columns[columns < self.columns.count]
        ids = self.start + self.columns.places_of(columns)
        returned = self.score(ids)
        if tf.is_tensor(returned) and returned.shape.rank is None:  # as from tf.numpy_function
            returned = tf.ensure_shape(returned, [None, None])
        num_rows = None if tf.is_tensor(self.num_rows) else self.num_rows
        validation.check_returned(returned, num_rows, ids.shape[0])
        own = tf.gather(tf.stop_gradient(tf.convert_to_tensor(returned)), self.numbers)
        return tf.pad(tf.cast(own, tf.float32) * self.alpha, [[0, 0], [0, size - ids.shape[0]]])

    def blocks(self, block: Tensor) -> Tensor:
        """Call once per distinct block."""
        none = tf.constant(-(-self.columns.width // BLOCK), tf.int64)

        def step(wanted: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
            returned = self.tile(wanted * BLOCK, BLOCK)
            scores = tf.where(tf.equal(block, wanted)[:, None], returned, scores)
            return tf.reduce_min(tf.where(block > wanted, block, none)), scores

        nothing = tf.zeros(tf.stack([tf.size(block), BLOCK]))
        _, scores = tf.while_loop(
            lambda wanted, _: wanted < none, step, (tf.reduce_min(block), nothing)
        )
        return scores
