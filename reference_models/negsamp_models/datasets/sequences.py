"""Item sequences of different lengths in compressed rows."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from negsamp import InvalidInputError

__all__ = ["Int64Array", "Sequences"]

Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sequences:
    """Item sequences of different lengths in compressed rows.

    Sequence u is ``item_ids[offsets[u]:offsets[u + 1]]``. Both arrays become read-only views; int64
    arrays are not copied.

    Parameters
    ----------
    item_ids : int64, shape (num_actions,)
        The items of sequence 0, then those of sequence 1, ...
    offsets : int64, shape (num_sequences + 1,)
        Non-decreasing, from 0 to num_actions.

    Raises
    ------
    InvalidInputError
        If an array is not one-dimensional or not of integers that fit int64.
    InvalidInputError
        If the offsets decrease, do not start at 0, or do not end at the number of items.

    Examples
    --------
    >>> sequences = Sequences.from_lists([[5, 3, 8], [2]])
    >>> len(sequences), sequences[0].tolist(), sequences.lengths.tolist()
    (2, [5, 3, 8], [3, 1])
    >>> [items.tolist() for items in sequences.without_last(1)]
    [[5, 3], []]
    >>> [items.tolist() for items in sequences.last(2)]
    [[3, 8], [2]]
    """

    item_ids: Int64Array
    offsets: Int64Array

    def __post_init__(self) -> None:
        item_ids, offsets = compressed_rows("item_ids", self.item_ids, self.offsets)
        object.__setattr__(self, "item_ids", item_ids)
        object.__setattr__(self, "offsets", offsets)

    @classmethod
    def from_lists(cls, lists: Iterable[Sequence[int] | Int64Array]) -> Sequences:
        """Concatenate lists of item ids.

        Parameters
        ----------
        lists : iterable of sequences of int
            One list of item ids per sequence; may be empty.

        Returns
        -------
        Sequences

        Raises
        ------
        InvalidInputError
            If an id is not an integer that fits int64.
        """
        item_ids: list[int] = []
        offsets = [0]
        for items in lists:
            item_ids.extend(items)
            offsets.append(len(item_ids))
        flat = np.array(item_ids) if item_ids else np.empty(0, np.int64)
        return cls(flat, np.array(offsets, np.int64))

    @property
    def lengths(self) -> Int64Array:
        """Number of items of each sequence: int64, shape (num_sequences,)."""
        return np.diff(self.offsets)

    @property
    def num_actions(self) -> int:
        """Number of items of all sequences together, repeats included."""
        return len(self.item_ids)

    def last(self, count: int) -> Sequences:
        """Keep at most the last `count` items of each sequence.

        Parameters
        ----------
        count : int
            At least 0.

        Returns
        -------
        Sequences
            As many sequences; shorter ones are unchanged.

        Raises
        ------
        InvalidInputError
            If `count` is not an integer or negative.
        """
        stops = self.offsets[1:]
        return self._between(np.maximum(self.offsets[:-1], stops - _count(count)), stops)

    def without_first(self, count: int) -> Sequences:
        """Drop the first `count` items of each sequence; a shorter one becomes empty.

        Parameters, result and errors are those of :meth:`last`.
        """
        stops = self.offsets[1:]
        return self._between(np.minimum(self.offsets[:-1] + _count(count), stops), stops)

    def without_last(self, count: int) -> Sequences:
        """Drop the last `count` items of each sequence; a shorter one becomes empty.

        Parameters, result and errors are those of :meth:`last`.
        """
        starts = self.offsets[:-1]
        return self._between(starts, np.maximum(self.offsets[1:] - _count(count), starts))

    def take(self, places: Int64Array) -> Sequences:
        """Select sequences, in the order given.

        Parameters
        ----------
        places : int64, shape (num_taken,)
            Indices of sequences, repeats allowed.

        Returns
        -------
        Sequences

        Raises
        ------
        IndexError
            If an index is out of range.
        """
        return self._between(self.offsets[:-1][places], self.offsets[1:][places])

    def item_counts(self, num_items: int) -> Int64Array:
        """Count how often each item occurs.

        Parameters
        ----------
        num_items : int
            Largest allowed id.

        Returns
        -------
        int64, shape (num_items + 1,)
            Position i belongs to item i; position 0, the padding, is 0 in a data set.

        Raises
        ------
        InvalidInputError
            If an id is not in [0, num_items].
        """
        check_ids("item_ids", self.item_ids, 0, num_items)
        return np.bincount(self.item_ids, minlength=num_items + 1)

    def _between(self, starts: Int64Array, stops: Int64Array) -> Sequences:
        """Keep the items at starts[u] up to, not including, stops[u] of each sequence."""
        lengths = stops - starts
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        places = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        return Sequences(self.item_ids[places], offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Int64Array:
        place = operator.index(index)
        return self.item_ids[self.offsets[:-1][place] : self.offsets[1:][place]]

    def __iter__(self) -> Iterator[Int64Array]:
        for start, stop in pairwise(self.offsets.tolist()):
            yield self.item_ids[start:stop]


def compressed_rows(
    name: str, ids: Int64Array, offsets: Int64Array
) -> tuple[Int64Array, Int64Array]:
    """Validate compressed rows, and return read-only int64 views of them."""
    ids, offsets = _int64_view(name, ids), _int64_view("offsets", offsets)
    if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(ids):
        ends = f"{offsets[0]} to {offsets[-1]}" if len(offsets) else "nothing"
        raise InvalidInputError(f"offsets must go from 0 to {len(ids)}, len({name}); got {ends}")
    if len(fallen := np.flatnonzero(np.diff(offsets) < 0)):
        raise InvalidInputError(f"offsets must not decrease; offsets[{fallen[0] + 1}] does")
    return ids, offsets


def _int64_view(name: str, values: npt.ArrayLike) -> Int64Array:
    """Return a read-only int64 view of one-dimensional integers."""
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iu" or not np.can_cast(array.dtype, np.int64):
        raise InvalidInputError(
            f"{name} must be one-dimensional, of integers that fit int64; got shape "
            f"{array.shape}, dtype {array.dtype}"
        )
    view = np.ascontiguousarray(array, np.int64).view()
    view.flags.writeable = False
    return view


def check_ids(name: str, ids: Int64Array, lowest: int, highest: int | None) -> None:
    """Refuse ids outside [lowest, highest]; the error names the first."""
    outside = ids < lowest
    if highest is not None:
        outside |= ids > highest
    if outside.any():
        place = int(outside.argmax())
        allowed = f"at least {lowest}" if highest is None else f"in [{lowest}, {highest}]"
        raise InvalidInputError(f"{name} must be {allowed}; got {ids[place]} at place {place}")


def _count(count: int) -> int:
    """Validate a number of items to keep or drop."""
    if not isinstance(count, int | np.integer) or count < 0:
        raise InvalidInputError(f"count must be an integer, at least 0; got {count!r}")
    return int(count)
