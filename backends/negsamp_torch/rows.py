"""The rows of a call that are sampled, and what each of them excludes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from negsamp import row_errors

__all__ = ["Excluded", "Rows", "UserItems", "gather"]


@dataclass(frozen=True)
class Excluded:
    """Excluded places of each row in CSR form: ascending and distinct within a row.

    A place is a position in the catalogue, or a column among pre-selected candidates; `width` is
    the number of places.
    """

    offsets: Tensor
    places: Tensor
    width: int

    @classmethod
    def of_pairs(cls, rows: Tensor, places: Tensor, num_rows: int, width: int) -> Excluded:
        """Build from pairs (row, place) in any order; duplicates are dropped."""
        keys = torch.unique(rows * width + places)
        bounds = torch.arange(num_rows + 1, device=keys.device) * width
        return cls(torch.searchsorted(keys, bounds), keys % width, width)

    @property
    def counts(self) -> Tensor:
        """Number of excluded places of each row."""
        return self.offsets.diff()

    @property
    def rows(self) -> Tensor:
        """The row of each excluded place."""
        return torch.repeat_interleave(self.counts)

    @cached_property
    def keys(self) -> Tensor:
        """One sort key per row and place, ``row * width + place``; ascending."""
        return self.rows * self.width + self.places

    def inside(self, rows: Tensor, first: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Find the places of rows[i] that are in [first[i], first[i] + count).

        Returns the index i of each, and its offset from first[i].
        """
        edges = torch.stack([first, (first + count).clamp(max=self.width)])
        begin, end = torch.searchsorted(self.keys, rows * self.width + edges)
        index = torch.repeat_interleave(end - begin)
        within = torch.arange(len(index), device=index.device)
        within = within - ((end - begin).cumsum(0) - (end - begin))[index]
        return index, self.places[begin[index] + within] - first[index]

    def adding(self, places: Tensor, rows: Tensor | None = None) -> Excluded:
        """Return these with one more place in each row, or in each of some rows."""
        if rows is None:
            rows = torch.arange(len(places), device=places.device)
        rows, places = torch.cat([self.rows, rows]), torch.cat([self.places, places])
        return Excluded.of_pairs(rows, places, len(self.offsets) - 1, self.width)

    def among(self, candidates: Tensor) -> Excluded:
        """Return the excluded candidates, as columns of `candidates`.

        `candidates` holds ascending places: shape (count,) for all rows, or (rows, count).
        """
        num_rows, count = len(self.offsets) - 1, candidates.shape[-1]
        if candidates.ndim == 1:
            columns = torch.searchsorted(candidates, self.places)
            found = candidates[columns.clamp(max=count - 1)] == self.places
        else:
            row = torch.arange(num_rows, device=candidates.device)
            keys = (row[:, None] * self.width + candidates).reshape(-1)
            index = torch.searchsorted(keys, self.keys)
            found = keys[index.clamp(max=len(keys) - 1)] == self.keys
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
    numbers: Tensor
    excluded: Excluded

    def __len__(self) -> int:
        return len(self.numbers)

    def chunks(self, size: int) -> Iterator[Rows]:
        """Split into chunks of at most `size` rows."""
        if len(self) <= size:
            if len(self):
                yield self
            return
        bounds = self.excluded.offsets[::size].tolist()
        bounds += [int(self.excluded.offsets[-1])] if len(self) % size else []
        for index, start in enumerate(range(0, len(self), size)):
            offsets = self.excluded.offsets[start : start + size + 1]
            places = self.excluded.places[bounds[index] : bounds[index + 1]]
            excluded = Excluded(offsets - bounds[index], places, self.excluded.width)
            yield Rows(self.shape, self.numbers[start : start + size], excluded)

    def number_of_first(self, wrong: Tensor) -> tuple[int, int]:
        """Return the first row where `wrong` is true: its index here, and its number."""
        row = int(wrong.nonzero()[0, 0])
        return row, int(self.numbers[row])

    def check_enough(
        self, excluded: Excluded, num_negatives: int, replacement: bool, num_candidates: int
    ) -> None:
        """Raise NoNegativesError for the first row with too few places that are not excluded."""
        admissible = num_candidates - excluded.counts
        short = admissible < (1 if replacement else num_negatives)
        if bool(short.any()):
            row, number = self.number_of_first(short)
            raise row_errors.few_negatives(
                number,
                self.shape,
                int(admissible[row]),
                num_negatives,
                num_candidates,
                preselected=num_candidates < self.excluded.width,
            )


@dataclass(frozen=True)
class UserItems:
    """Interactions on a device.

    Attributes
    ----------
    places : int32 or int64, shape (num_interactions,)
        Positions in the catalogue, ascending and distinct within a user.
    offsets : int64, shape (num_users + 1,)
        User u's places are ``places[offsets[u]:offsets[u + 1]]``.
    longest : int
        Largest number of items of a user.
    """

    places: Tensor
    offsets: Tensor
    longest: int

    @property
    def num_users(self) -> int:
        """Number of users."""
        return len(self.offsets) - 1


def gather(
    items: range,
    user_items: UserItems | None,
    targets: Tensor,
    users: Tensor | None,
    mask: Tensor | None,
    exclude: Tensor | None,
) -> Rows:
    """Check ids and users, and gather the exclusions of the unmasked rows."""
    start, device, shape = items.start, targets.device, tuple(targets.shape)
    if mask is None:
        numbers = torch.arange(targets.numel(), device=device)
    else:
        numbers = mask.reshape(-1).nonzero()[:, 0]
    kept = targets.reshape(-1)[numbers].long()
    _check_ids("targets", kept, numbers, targets, items)
    row = torch.arange(len(numbers), device=device)
    rows, places = [row], [kept - start]
    if exclude is not None:
        more = exclude.reshape(targets.numel(), exclude.shape[-1])[numbers].long()
        given = (more != -1) | (not exclude.dtype.is_signed)  # uint64's largest is cast to -1
        column = torch.arange(more.shape[1], device=device)
        place_in_call = numbers[:, None] * more.shape[1] + column
        _check_ids("exclude", more[given], place_in_call[given], exclude, items)
        rows.append(row[:, None].expand(more.shape)[given])
        places.append(more[given] - start)
    if user_items is not None and users is not None:
        trailing = (1,) * (targets.ndim - users.ndim)
        each = users.reshape((*users.shape, *trailing)).expand(shape)
        user = each.reshape(-1)[numbers].long()
        unknown = (user < 0) | (user >= user_items.num_users)
        if bool(unknown.any()):
            first = int(unknown.nonzero()[0, 0])
            place = row_errors.place_of(int(numbers[first]), shape)[: users.ndim]
            raise row_errors.unknown_user(place, int(users[place].item()), user_items.num_users)
        begin = user_items.offsets[user]
        lengths = user_items.offsets[user + 1] - begin
        of_row = torch.repeat_interleave(lengths)
        within = torch.arange(len(of_row), device=device) - (lengths.cumsum(0) - lengths)[of_row]
        rows.append(of_row)
        places.append(user_items.places[begin[of_row] + within].long())
    excluded = Excluded.of_pairs(torch.cat(rows), torch.cat(places), len(row), len(items))
    return Rows(shape, numbers, excluded)


def _check_ids(name: str, ids: Tensor, places: Tensor, given: Tensor, items: range) -> None:
    """Raise for an id, with the value as given: the cast to int64 may have made it negative."""
    outside = (ids < items.start) | (ids >= items.stop)
    if bool(outside.any()):
        first = int(outside.nonzero()[0, 0])
        place = row_errors.place_of(int(places[first]), tuple(given.shape))
        raise row_errors.outside_catalogue(name, place, int(given[place].item()), items)
