"""The rows of a call, and what each excludes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from negsamp import row_errors
from negsamp.backend import Catalogue
from negsamp_tensorflow.bisection import bisect
from negsamp_tensorflow.refusals import MakeError, refuse

__all__ = ["Excluded", "Rows", "UserItems", "gather"]


@dataclass(frozen=True)
class UserItems:
    """Interactions on the device, in CSR form.

    Attributes
    ----------
    places : int64, shape (num_interactions,)
        Positions in the catalogue, those of user 0 first; ascending within a user.
    offsets : int64, shape (num_users + 1,)
        User u's places are ``places[offsets[u]:offsets[u + 1]]``.
    weight_before : int64, shape (num_interactions + 1,)
        Exclusive prefix sums of the places' weights; they may wrap, but differences are exact.
    longest : int
        The largest number of places of one user.
    """

    places: Tensor
    offsets: Tensor
    weight_before: Tensor
    longest: int

    @classmethod
    def of(cls, catalogue: Catalogue) -> UserItems:
        """Copy the interactions of a catalogue; without any, there is one user without items."""
        interactions, cumulative = catalogue.interactions, catalogue.cumulative
        places, offsets = np.empty(0, np.int64), np.zeros(2, np.int64)
        if interactions is not None:
            places = interactions.item_ids.astype(np.int64) - catalogue.items.start
            offsets = interactions.offsets.astype(np.int64)
        weights = np.ones_like(places)
        if cumulative is not None:
            weights = cumulative[places + 1] - cumulative[places]
        return cls(
            tf.constant(places),
            tf.constant(offsets),
            tf.constant(np.concatenate([[0], np.cumsum(weights)]).astype(np.int64)),
            int(np.diff(offsets).max(initial=0)),
        )

    @property
    def num_users(self) -> int:
        """Number of users."""
        return int(self.offsets.shape[0]) - 1


@dataclass(frozen=True)
class Excluded:
    """Exclusions of some rows: a range of the interactions, and a few other places.

    Attributes
    ----------
    user_items : UserItems
    first, last : int64, shape (rows,)
        The range ``places[first:last]`` of the user's items.
    few : int64, shape (rows, num_few)
        Places that are not in the range: ascending and distinct, padded with `width`.
    width : int
        Number of places.
    """

    user_items: UserItems
    first: Tensor
    last: Tensor
    few: Tensor
    width: int

    @classmethod
    def of(cls, user_items: UserItems, users: Tensor, few: Tensor, width: int) -> Excluded:
        """Build from users and further places `few`, in any order; duplicates are dropped."""
        first, last = tf.gather(user_items.offsets, users), tf.gather(user_items.offsets, users + 1)
        few = tf.sort(few, axis=1)
        twice = tf.concat([tf.zeros_like(few[:, :1], tf.bool), few[:, 1:] == few[:, :-1]], axis=1)
        excluded = cls(user_items, first, last, few, width)
        if user_items.longest:
            index = excluded.index_of(few)
            inside = index < last[:, None]
            twice |= inside & (tf.gather(user_items.places, tf.where(inside, index, 0)) == few)
        few = tf.sort(tf.where(twice, tf.constant(width, tf.int64), few), axis=1)
        return cls(user_items, first, last, few, width)

    @property
    def counts(self) -> Tensor:
        """Number of excluded places of each row."""
        return self.last - self.first + _count(self.few < self.width)

    @property
    def places(self) -> Tensor:
        """All places, unordered and padded with `width`: (rows, num_few + longest)."""
        if not self.user_items.longest:
            return self.few
        index = self.first[:, None] + tf.range(self.user_items.longest, dtype=tf.int64)
        inside = index < self.last[:, None]
        places = tf.gather(self.user_items.places, tf.where(inside, index, 0))
        none = tf.constant(self.width, tf.int64)
        return tf.concat([self.few, tf.where(inside, places, none)], axis=1)

    def index_of(self, places: Tensor) -> Tensor:
        """Return where (rows, any) places would be inserted in the range of each row."""
        return bisect(
            tf.broadcast_to(self.first[:, None], tf.shape(places)),
            tf.broadcast_to(self.last[:, None], tf.shape(places)),
            self.user_items.longest,
            lambda index: tf.gather(self.user_items.places, index) < places,
        )

    def with_room(self, num_places: int) -> Excluded:
        """Return the same with padding for more places."""
        none = tf.fill([tf.shape(self.few)[0], num_places], tf.constant(self.width, tf.int64))
        return self.holding(tf.concat([self.few, none], axis=1))

    def adding(self, places: Tensor) -> Excluded:
        """Return the same with one more, new place in each row, which must have padding left."""
        few = tf.concat([self.few[:, :-1], places[:, None]], axis=1)
        return self.holding(tf.sort(few, axis=1))

    def holding(self, few: Tensor) -> Excluded:
        """Return the same with another `few`."""
        return Excluded(self.user_items, self.first, self.last, few, self.width)


@dataclass(frozen=True)
class Rows:
    """The rows of a call, one per target, in C order.

    Attributes
    ----------
    shape : int64, shape (rank,)
        Shape of the targets.
    sampled : bool, shape (num_rows,)
        Whether the mask keeps a row.
    order : int64, shape (num_rows,)
        The numbers of the sampled rows, then those of the others.
    num_sampled : int64
    few : int64, shape (num_rows, 1 + num_excluded)
        Places of the target and of `exclude`; `width` for none.
    users : int64, shape (num_rows,)
    bad : bool, shape (num_rows,)
        Whether a row has an invalid id or user, which is replaced by a valid one.
    width : int
        Number of places.
    assertions : list
        Assertions that results of a graph must depend on.
    """

    shape: Tensor
    sampled: Tensor
    order: Tensor
    num_sampled: Tensor
    few: Tensor
    users: Tensor
    bad: Tensor
    width: int
    assertions: list[Any]

    @property
    def num_rows(self) -> Any:
        """Number of rows: an int if known while tracing, else a tensor."""
        known = self.sampled.shape[0]
        return tf.shape(self.sampled)[0] if known is None else known

    def excluded(self, user_items: UserItems, numbers: Tensor) -> Excluded:
        """Return what some rows exclude."""
        few, users = tf.gather(self.few, numbers), tf.gather(self.users, numbers)
        return Excluded.of(user_items, users, few, self.width)

    def refuse(self, make_error: MakeError, wrong: Tensor, *values: Tensor) -> None:
        """Raise, or assert, for the first of the sampled rows that are invalid."""
        self.assertions.extend(refuse(make_error, wrong & self.sampled, self.shape, *values))


def gather(
    items: range,
    user_items: UserItems,
    targets: Tensor,
    users: Tensor | None,
    mask: Tensor | None,
    exclude: Tensor | None,
) -> Rows:
    """Check ids and users, and gather what each row excludes."""
    shape, width = tf.shape(targets, tf.int64), len(items)
    flat = tf.reshape(targets, [-1])
    ids = tf.cast(flat, tf.int64)
    sampled = tf.ones_like(ids, tf.bool) if mask is None else tf.reshape(mask, [-1])
    bad = sampled & _outside(ids, items)
    assertions = refuse(_outside_catalogue("targets", items), bad, shape, flat)
    few = tf.where(_outside(ids, items), tf.constant(0, tf.int64), ids - items.start)[:, None]
    if exclude is not None:
        num_excluded = tf.shape(exclude)[-1]
        more = tf.reshape(tf.cast(exclude, tf.int64), tf.stack([tf.size(ids), num_excluded]))
        outside = _outside(more, items)
        given = (more != -1) | exclude.dtype.is_unsigned  # uint64's largest is cast to -1
        wrong = outside & given & sampled[:, None]
        assertions += refuse(
            _outside_catalogue("exclude", items),
            tf.reshape(wrong, [-1]),
            tf.shape(exclude, tf.int64),
            tf.reshape(exclude, [-1]),
        )
        bad |= tf.reduce_any(wrong, axis=1)
        none = tf.constant(width, tf.int64)
        few = tf.concat([few, tf.where(outside, none, more - items.start)], axis=1)
    user = tf.zeros_like(ids)
    if users is not None:
        trailing = (1,) * (targets.shape.rank - users.shape.rank)
        whole = tf.reshape(users, tf.concat([tf.shape(users), trailing], axis=0))
        user = tf.reshape(tf.broadcast_to(tf.cast(whole, tf.int64), shape), [-1])
        unknown = (user < 0) | (user >= user_items.num_users)
        bad |= unknown & sampled
        sizes = tf.stack([tf.size(users), tf.reduce_prod(tf.shape(targets)[users.shape.rank :])])
        assertions += refuse(
            _unknown_user(user_items.num_users),
            tf.reduce_any(tf.reshape(unknown & sampled, sizes), axis=1),
            tf.shape(users, tf.int64),
            tf.reshape(users, [-1]),
        )
        user = tf.where(unknown, tf.constant(0, tf.int64), user)
    order = tf.argsort(tf.cast(~sampled, tf.int32), stable=True)
    return Rows(
        shape, sampled, tf.cast(order, tf.int64), _count(sampled), few, user, bad, width, assertions
    )


def _outside(ids: Tensor, items: range) -> Tensor:
    return (ids < items.start) | (ids >= items.stop)


def _outside_catalogue(name: str, items: range) -> MakeError:
    def make_error(number: int, shape: tuple[int, ...], item: Any) -> Exception:
        place = row_errors.place_of(number, shape)
        return row_errors.outside_catalogue(name, place, item, items)

    return make_error


def _unknown_user(num_users: int) -> MakeError:
    def make_error(number: int, shape: tuple[int, ...], user: Any) -> Exception:
        return row_errors.unknown_user(row_errors.place_of(number, shape), user, num_users)

    return make_error


def _count(each: Tensor) -> Tensor:
    return tf.reduce_sum(tf.cast(each, tf.int64), axis=-1)
