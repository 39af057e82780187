"""Pre-selection: uniform subsets of the catalogue (eq. 6), the same as the reference's.

The number of candidates may be a tensor. Arrays then have the length of the whole catalogue, so
that no graph needs to be traced again when the number changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow import Tensor

from negsamp.stream import CANDIDATES, Stream
from negsamp_tensorflow.stream import below, words, words_of_rows

__all__ = ["Columns", "one_for_all_rows", "one_for_each_row"]


@dataclass(frozen=True)
class Columns:
    """The places that may be drawn, in ascending order.

    Attributes
    ----------
    count : int or int64
        Number of columns.
    width : int
        The same, or the number of places of the catalogue where `count` is a tensor.
    places : int64, shape (width,) or (rows, width), or None
        The place of each column, arbitrary beyond `count`; None if every place is a column.
    column_of : int64, shape (num_places,) or (rows, num_places), or None
        The column of each place, -1 for none.
    """

    count: Any
    width: int
    places: Tensor | None = None
    column_of: Tensor | None = None

    @classmethod
    def of(cls, taken: Tensor, count: Any) -> Columns:
        """Build from a mask of the selected places, `count` in each row."""
        num_places = int(taken.shape[-1])
        width = count if isinstance(count, int) else num_places
        column = tf.cumsum(tf.cast(taken, tf.int64), axis=-1) - 1
        column_of = tf.where(taken, column, tf.constant(-1, tf.int64))
        flat = tf.reshape(column_of, [-1, num_places])
        row = tf.range(tf.shape(flat, tf.int64)[0])[:, None]
        places = tf.math.unsorted_segment_sum(
            tf.broadcast_to(tf.range(num_places, dtype=tf.int64), tf.shape(flat)),
            tf.where(flat < 0, flat, flat + row * width),
            tf.size(row) * width,
        )
        places = tf.reshape(places, tf.concat([tf.shape(taken)[:-1], [width]], axis=0))
        return cls(count, width, places, column_of)

    def columns_of(self, places: Tensor) -> Tensor:
        """Return the columns of (rows, any) places, -1 if out of range or not a candidate."""
        none = tf.constant(-1, tf.int64)
        if self.column_of is None:
            return tf.where(places < self.width, places, none)
        num_places = int(self.column_of.shape[-1])
        known = tf.where(places < num_places, places, 0)
        batch_dims = self.column_of.shape.rank - 1
        columns = tf.gather(self.column_of, known, axis=batch_dims, batch_dims=batch_dims)
        return tf.where(places < num_places, columns, none)

    def places_of(self, columns: Tensor) -> Tensor:
        """Return the places of (rows, any) columns, or of (any,) if all rows share them."""
        columns = tf.minimum(columns, self.width - 1)
        if self.places is None:
            return columns
        batch_dims = self.places.shape.rank - 1
        return tf.gather(self.places, columns, axis=batch_dims, batch_dims=batch_dims)


def one_for_all_rows(stream: Stream, num_places: int, count: Any) -> Columns:
    """Select the `count` places with the smallest random keys; ties go to the lowest places."""
    drawn = words(stream, CANDIDATES, num_places)
    keys = tf.bitwise.left_shift(drawn[:, 0], tf.constant(31, tf.int64)) | (drawn[:, 1] // 2)
    order = tf.argsort(keys, stable=True)
    taken = tf.cast(tf.range(num_places, dtype=tf.int64) < count, tf.int32)
    return Columns.of(tf.scatter_nd(order[:, None], taken, [num_places]) > 0, count)


def one_for_each_row(stream: Stream, num_places: int, count: Any, numbers: Tensor) -> Columns:
    """Select `count` places for each row: Floyd's algorithm."""
    known = isinstance(count, int)
    steps = min(count, num_places - count) if known else tf.minimum(count, num_places - count)
    most = steps if known else num_places // 2
    num_rows = tf.shape(numbers)[0]
    step_number = tf.range(most, dtype=tf.int64)
    drawn = words_of_rows(stream, CANDIDATES, numbers, steps, most)
    chosen = below(drawn, num_places - steps + step_number + 1)
    row = tf.range(num_rows, dtype=tf.int64)

    def step(m: Tensor, taken: Tensor) -> tuple[Tensor, Tensor]:
        place = chosen[:, m]
        again = tf.gather(taken, place, axis=1, batch_dims=1)
        place = tf.where(again, num_places - steps + m, place)
        yes = tf.ones_like(place, tf.bool)
        return m + 1, tf.tensor_scatter_nd_update(taken, tf.stack([row, place], axis=1), yes)

    _, taken = tf.while_loop(
        lambda m, _: m < steps,
        step,
        (tf.constant(0, tf.int64), tf.zeros((num_rows, num_places), tf.bool)),
    )
    return Columns.of(tf.math.logical_xor(taken, tf.not_equal(steps, count)), count)
