"""The rows of a call that are sampled, and what each of them excludes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from negsamp import row_errors
from negsamp.backend import Catalogue

__all__ = ["Excluded", "Rows"]

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Excluded:
    """Excluded places of each row in CSR form: ascending and distinct within a row.

    A place is a position in the catalogue, or a column among pre-selected candidates; `width` is
    the number of places.
    """

    offsets: Integers
    places: Integers
    width: int

    @classmethod
    def of_pairs(cls, rows: Integers, places: Integers, num_rows: int, width: int) -> Excluded:
        """Build from pairs (row, place) in any order; duplicates are dropped."""
        keys = np.unique(rows * width + places)
        offsets = np.searchsorted(keys, np.arange(num_rows + 1) * width)
        return cls(offsets, keys % width, width)

    @property
    def counts(self) -> Integers:
        """Number of excluded places of each row."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> Integers:
        """The row of each excluded place."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.counts)

    @cached_property
    def keys(self) -> Integers:
        """One sort key per row and place, ``row * width + place``; ascending."""
        return self.rows * self.width + self.places

    def inside(self, rows: Integers, first: Integers, count: int) -> tuple[Integers, Integers]:
        """Find the places of rows[i] that are in [first[i], first[i] + count).

        Returns the index i of each, and its offset from first[i].
        """
        last = np.minimum(first + count, self.width)
        begin, end = (np.searchsorted(self.keys, rows * self.width + to) for to in (first, last))
        index = np.repeat(np.arange(len(rows)), end - begin)
        within = np.arange(len(index)) - (np.cumsum(end - begin) - (end - begin))[index]
        return index, self.places[begin[index] + within] - first[index]

    def adding(self, places: Integers) -> Excluded:
        """Return these with one more place in each row."""
        rows = np.concatenate([self.rows, np.arange(len(places))])
        return Excluded.of_pairs(
            rows, np.concatenate([self.places, places]), len(places), self.width
        )

    def among(self, candidates: Integers) -> Excluded:
        """Return the excluded candidates, as columns of `candidates`.

        `candidates` holds ascending places: shape (count,) for all rows, or (rows, count).
        """
        num_rows, count = len(self.offsets) - 1, candidates.shape[-1]
        if candidates.ndim == 1:
            columns = np.searchsorted(candidates, self.places)
            found = candidates[np.minimum(columns, count - 1)] == self.places
        else:
            keys = (np.arange(num_rows)[:, None] * self.width + candidates).reshape(-1)
            index = np.searchsorted(keys, self.keys)
            found = keys[np.minimum(index, len(keys) - 1)] == self.keys
            columns = index - self.rows * count
        return Excluded.of_pairs(self.rows[found], columns[found], num_rows, count)


@dataclass(frozen=True)
class Rows:
    """The unmasked rows of a call.

    Attributes
    ----------
    shape : tuple of int
        Shape of the targets.
    numbers : int64, shape (num_rows,)
        Index of each sampled row among all targets in C order, by which the stream counts rows.
    excluded : Excluded
        Positions in the catalogue: the target, the user's interactions, and `exclude`.
    """

    shape: tuple[int, ...]
    numbers: Integers
    excluded: Excluded

    def __len__(self) -> int:
        return len(self.numbers)

    def chunks(self, size: int) -> Iterator[Rows]:
        """Split into chunks of at most `size` rows."""
        for start in range(0, len(self), max(size, 1)):
            stop = min(start + size, len(self))
            offsets = self.excluded.offsets[start : stop + 1]
            places = self.excluded.places[offsets[0] : offsets[-1]]
            excluded = Excluded(offsets - offsets[0], places, self.excluded.width)
            yield Rows(self.shape, self.numbers[start:stop], excluded)

    def check_enough(
        self, excluded: Excluded, num_negatives: int, replacement: bool, num_candidates: int
    ) -> None:
        """Raise NoNegativesError for the first row with too few places that are not excluded."""
        admissible = num_candidates - excluded.counts
        short = admissible < (1 if replacement else num_negatives)
        if short.any():
            row = int(short.argmax())
            raise row_errors.few_negatives(
                int(self.numbers[row]),
                self.shape,
                int(admissible[row]),
                num_negatives,
                num_candidates,
                preselected=num_candidates < self.excluded.width,
            )


def gather(
    catalogue: Catalogue,
    targets: npt.NDArray[np.integer],
    users: npt.NDArray[np.integer] | None,
    mask: npt.NDArray[np.bool_] | None,
    exclude: npt.NDArray[np.integer] | None,
) -> Rows:
    """Check ids and users, and gather the exclusions of the unmasked rows."""
    start, width = catalogue.items.start, len(catalogue.items)
    numbers = np.arange(targets.size) if mask is None else np.flatnonzero(mask)
    kept = targets.reshape(-1)[numbers].astype(np.int64)
    _check_ids("targets", kept, numbers, targets, catalogue.items)
    row = np.arange(len(numbers))
    rows, places = [row], [kept - start]
    if exclude is not None:
        more = exclude.reshape(targets.size, exclude.shape[-1])[numbers]
        given = more != -1  # before the cast: uint64's largest is cast to -1
        more = more.astype(np.int64)
        place_in_call = numbers[:, None] * more.shape[1] + np.arange(more.shape[1])
        _check_ids("exclude", more[given], place_in_call[given], exclude, catalogue.items)
        rows.append(np.broadcast_to(row[:, None], more.shape)[given])
        places.append(more[given] - start)
    if catalogue.interactions is not None and users is not None:
        trailing = (1,) * (targets.ndim - users.ndim)
        each = np.broadcast_to(users.reshape(users.shape + trailing), targets.shape)
        user = each.reshape(-1)[numbers].astype(np.int64)
        unknown = (user < 0) | (user >= catalogue.interactions.num_users)
        if unknown.any():
            first = int(unknown.argmax())
            place = row_errors.place_of(int(numbers[first]), targets.shape)[: users.ndim]
            raise row_errors.unknown_user(
                place, int(users[place]), catalogue.interactions.num_users
            )
        begin = catalogue.interactions.offsets[user]
        lengths = catalogue.interactions.offsets[user + 1] - begin
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        seen = catalogue.interactions.item_ids[np.repeat(begin, lengths) + within]
        rows.append(np.repeat(row, lengths))
        places.append(seen.astype(np.int64) - start)
    excluded = Excluded.of_pairs(np.concatenate(rows), np.concatenate(places), len(row), width)
    return Rows(targets.shape, numbers, excluded)


def _check_ids(
    name: str, ids: Integers, places: Integers, given: npt.NDArray[np.integer], items: range
) -> None:
    """Raise for an id, with the value as given: the cast to int64 may have made it negative."""
    outside = (ids < items.start) | (ids >= items.stop)
    if outside.any():
        first = int(outside.argmax())
        place = row_errors.place_of(int(places[first]), given.shape)
        raise row_errors.outside_catalogue(name, place, int(given[place]), items)
