"""The sampled rows of a call, and the lists in which kernels find what each excludes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from negsamp import row_errors
from negsamp.backend import Catalogue
from negsamp.interactions import Interactions
from negsamp_numba.arrays import read_only
from negsamp_numba.compiling import kernel
from negsamp_numba.weights import Integers

__all__ = ["Integers", "Lists", "Rows", "gather", "lists_of"]


class Lists(NamedTuple):
    """The items of each user, as kernels read them.

    Attributes
    ----------
    item_ids : int32 or int64, shape (num_interactions,)
        The ids of all users, ascending and distinct within a user.
    offsets : int64, shape (num_users + 1,)
        Where each user's ids begin.
    before : int64, shape (num_interactions,), or None
        The weight of the catalogue before each, minus that of the user's earlier items.
    until : int64, shape (num_interactions,), or None
        The weight of the user's items up to and including each. Both are None where every weight
        is 1: the weights then follow from the index.
    start : int
        The id at position 0 of the catalogue.
    """

    item_ids: npt.NDArray[np.integer[Any]]
    offsets: Integers
    before: Integers | None
    until: Integers | None
    start: int


@dataclass(frozen=True)
class Rows:
    """The unmasked rows of a call.

    A row excludes two ascending lists, which may overlap: `own`, and the list of its user.

    Attributes
    ----------
    shape : tuple of int
        Shape of the targets.
    numbers : int64, shape (num_rows,)
        Index of each sampled row among all targets in C order, by which the stream counts rows.
    own : int64, shape (num_rows, 1 + num_excluded)
        Positions of the target and of ``exclude``, ascending, repeats allowed, negative for none.
    users : int64, shape (num_rows,)
        The user of each row.
    lists : Lists
        The items of each user; without interactions, of one user 0 without items.
    like : array
        The targets as passed: the negatives are returned in their framework.
    """

    shape: tuple[int, ...]
    numbers: Integers
    own: Integers
    users: Integers
    lists: Lists
    like: Any

    def __len__(self) -> int:
        return len(self.numbers)

    def part(self, first: int, last: int) -> Rows:
        """Return rows [first, last)."""
        cut = slice(first, last)
        return replace(self, numbers=self.numbers[cut], own=self.own[cut], users=self.users[cut])


def lists_of(catalogue: Catalogue) -> Lists:
    """Return the interactions of a catalogue for kernels, without copying them."""
    interactions = catalogue.interactions
    if interactions is None:
        interactions = Interactions([], [], num_users=1)
    ids, offsets = (read_only(a) for a in (interactions.item_ids, interactions.offsets))
    start = catalogue.items.start
    if catalogue.cumulative is None:
        return Lists(ids, offsets, None, None, start)
    before, until = _sum_weights(ids, offsets, start, catalogue.cumulative)
    return Lists(ids, offsets, before, until, start)


@kernel
def _sum_weights(
    item_ids: npt.NDArray[np.integer[Any]], offsets: Integers, start: int, cumulative: Integers
) -> tuple[Integers, Integers]:
    """Return `before` and `until` of :class:`Lists`."""
    before, until = np.empty(len(item_ids), np.int64), np.empty(len(item_ids), np.int64)
    for user in range(len(offsets) - 1):
        earlier = 0
        for index in range(offsets[user], offsets[user + 1]):
            position = int(item_ids[index] - start)
            before[index] = cumulative[position] - earlier
            earlier += cumulative[position + 1] - cumulative[position]
            until[index] = earlier
    return before, until


def gather(
    lists: Lists,
    items: range,
    targets: npt.NDArray[np.integer],
    users: npt.NDArray[np.integer] | None,
    mask: npt.NDArray[np.bool_] | None,
    exclude: npt.NDArray[np.integer] | None,
    like: Any,
) -> Rows:
    """Check ids and users of the unmasked rows, and gather what each row excludes."""
    shape = targets.shape
    numbers = np.arange(targets.size) if mask is None else np.flatnonzero(mask)
    kept = _take(targets, numbers)
    _check_ids("targets", kept, numbers, targets, items)
    own = (kept - items.start)[:, None]
    if exclude is not None and exclude.size:
        more = exclude.reshape(targets.size, -1)[numbers]
        given = more != -1  # before the cast: uint64's largest is cast to -1
        more = more.astype(np.int64)
        places = numbers[:, None] * more.shape[1] + np.arange(more.shape[1])
        _check_ids("exclude", more[given], places[given], exclude, items)
        own = np.sort(np.concatenate([own, more - items.start], axis=1), axis=1)
    user = np.zeros(len(numbers), np.int64)
    if users is not None:
        trailing = (1,) * (len(shape) - users.ndim)
        user = _take(np.broadcast_to(users.reshape(users.shape + trailing), shape), numbers)
        num_users = len(lists.offsets) - 1
        if user.size and (user.min() < 0 or user.max() >= num_users):
            first = int(((user < 0) | (user >= num_users)).argmax())
            place = row_errors.place_of(int(numbers[first]), shape)[: users.ndim]
            raise row_errors.unknown_user(place, int(users[place]), num_users)
    return Rows(shape, numbers, own, user, lists, like)


def _take(array: npt.NDArray[np.integer], numbers: Integers) -> Integers:
    """Return a copy of the elements with these numbers."""
    flat = array.reshape(-1)
    return (flat if len(numbers) == flat.size else flat[numbers]).astype(np.int64)


def _check_ids(
    name: str, ids: Integers, places: Integers, given: npt.NDArray[np.integer], items: range
) -> None:
    """Raise for an id, with the value as given: the cast to int64 may have made it negative."""
    if ids.size and (ids.min() < items.start or ids.max() >= items.stop):
        first = int(((ids < items.start) | (ids >= items.stop)).argmax())
        place = row_errors.place_of(int(places[first]), given.shape)
        raise row_errors.outside_catalogue(name, place, int(given[place]), items)
