"""Which items each user has interacted with."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Set
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from negsamp.digest import digest_of
from negsamp.errors import InvalidInputError

__all__ = ["Interactions"]

MAX_USERS = 2**31 - 1
"""Largest number of users; more indicates that users are not numbered without gaps."""


class Interactions:
    """The items of each user, sorted and distinct, in compressed rows (CSR).

    Pass it to a sampler to exclude, in each row, all items that the row's user has interacted with.
    Build it from the training data alone: held-out validation or test items that are excluded from
    hard negatives leak to the model.

    Build one with :meth:`from_sequences`, :meth:`from_pairs` or :meth:`from_csr`.

    Attributes
    ----------
    item_ids : int32 or int64, shape (num_interactions,)
        The items of user 0, then those of user 1, ...; ascending and distinct within a user.
    offsets : int64, shape (num_users + 1,)
        User u's items are ``item_ids[offsets[u]:offsets[u + 1]]``.

    Examples
    --------
    >>> from negsamp import Interactions
    >>> interactions = Interactions.from_sequences([[3, 1, 3], [], [2]])
    >>> interactions
    Interactions(num_users=3, num_interactions=3)
    >>> interactions.items_of(0)
    array([1, 3])
    """

    item_ids: npt.NDArray[np.integer[Any]]
    offsets: npt.NDArray[np.int64]

    def __init__(self, users: npt.ArrayLike, item_ids: npt.ArrayLike, num_users: int) -> None:
        user_array, item_array = _ids("users", users), _ids("items", item_ids)
        num_users = _integer("num_users", num_users)
        if user_array.shape != item_array.shape or user_array.ndim != 1:
            raise InvalidInputError(
                f"users and items must be one-dimensional and of one length; got shapes "
                f"{user_array.shape} and {item_array.shape}"
            )
        if user_array.size and (worst := int(user_array.max())) >= num_users:
            raise InvalidInputError(f"user {worst} is not below num_users = {num_users}")
        if num_users < 0:
            raise InvalidInputError(f"num_users must be >= 0; got {num_users}")
        if num_users > MAX_USERS:
            raise InvalidInputError(
                f"num_users = {num_users} is more than {MAX_USERS}: users are numbered 0, 1, ... "
                "without gaps, as by np.unique(users, return_inverse=True)[1]"
            )
        order = np.lexsort((item_array, user_array))
        user_array, item_array = user_array[order], item_array[order]
        first = np.ones(len(order), dtype=bool)
        first[1:] = (user_array[1:] != user_array[:-1]) | (item_array[1:] != item_array[:-1])
        self.item_ids = item_array[first]
        counts = np.bincount(user_array[first] + 1, minlength=num_users + 1)
        self.offsets = np.cumsum(counts, out=counts)
        self.item_ids.flags.writeable = self.offsets.flags.writeable = False

    @classmethod
    def from_sequences(cls, sequences: Iterable[npt.ArrayLike | Set[int]]) -> Interactions:
        """Build from one sequence of item ids per user.

        Parameters
        ----------
        sequences : iterable of array_like or set of int
            The u-th sequence has the items of user u, in any order, repeats allowed; may be empty.

        Returns
        -------
        Interactions

        Raises
        ------
        InvalidInputError
            If a sequence is not one-dimensional, or an id is negative or not an integer.
        """
        if isinstance(sequences, Mapping):
            raise InvalidInputError(
                f"from_sequences takes one list of item ids a user, that of user 0 first; got a "
                f"{type(sequences).__name__}: number the users, and pass its values in that order"
            )
        lists = [_list_of(user, sequence) for user, sequence in enumerate(sequences)]
        lengths = [len(items) for items in lists]
        filled = [_as_integers(items) for items in lists if len(items)]
        items = np.concatenate(filled) if filled else np.empty(0, np.int64)
        return cls(np.repeat(np.arange(len(lists)), lengths), items, len(lists))

    @classmethod
    def from_pairs(
        cls, users: npt.ArrayLike, items: npt.ArrayLike, num_users: int | None = None
    ) -> Interactions:
        """Build from pairs: user ``users[i]`` has interacted with item ``items[i]``.

        Parameters
        ----------
        users, items : array_like of int, shape (num_pairs,)
            In any order, repeats allowed. Number the users 0, 1, ... without large gaps: memory is
            8 bytes for each number up to the largest.
        num_users : int, optional
            Number of users; by default one more than the largest user.

        Returns
        -------
        Interactions

        Raises
        ------
        InvalidInputError
            If the lengths differ, an id or `num_users` is negative or not an integer, a user is
            not below `num_users`, or there are 2**31 users or more.

        Examples
        --------
        >>> from negsamp import Interactions
        >>> Interactions.from_pairs(users=[1, 0, 1], items=[8, 4, 2]).items_of(1)
        array([2, 8])
        """
        if num_users is None:
            user_array = _ids("users", users)
            num_users = int(user_array.max()) + 1 if user_array.size else 0
        return cls(users, items, num_users)

    @classmethod
    def from_csr(cls, matrix: Any) -> Interactions:
        """Build from a users x items SciPy CSR matrix: each non-zero entry is an interaction.

        Parameters
        ----------
        matrix : scipy.sparse.csr_matrix or scipy.sparse.csr_array, shape (num_users, num_items)
            Row u is user u, column i is item id i.

        Returns
        -------
        Interactions

        Raises
        ------
        InvalidInputError
            If `matrix` is not in CSR format.

        Examples
        --------
        >>> from scipy.sparse import csr_array
        >>> from negsamp import Interactions
        >>> Interactions.from_csr(csr_array([[0, 1, 1], [5, 0, 0]])).items_of(0).tolist()
        [1, 2]
        """
        if getattr(matrix, "format", None) != "csr":
            raise InvalidInputError(
                f"from_csr takes a SciPy CSR matrix; got {type(matrix).__name__}: "
                "convert it with scipy.sparse.csr_array(matrix)"
            )
        num_users = int(matrix.shape[0])
        users = np.repeat(np.arange(num_users), np.diff(matrix.indptr))
        stored = np.asarray(matrix.data) != 0
        return cls(users[stored], np.asarray(matrix.indices)[stored], num_users)

    @property
    def num_users(self) -> int:
        """Number of users."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Number of distinct items of each user, shape (num_users,)."""
        return np.diff(self.offsets)

    @cached_property
    def digest(self) -> str:
        """A fingerprint of the interactions, 16 hex digits."""
        return digest_of(self.offsets.astype("<i8"), self.item_ids.astype("<i8"))

    @property
    def num_interactions(self) -> int:
        """Number of distinct (user, item) pairs."""
        return len(self.item_ids)

    def items_of(self, user: int) -> npt.NDArray[np.integer[Any]]:
        """Return the ascending, distinct item ids of one user.

        Raises
        ------
        InvalidInputError
            If there is no such user, or `user` is not an integer.
        """
        user = _integer("user", user)
        if not 0 <= user < self.num_users:
            raise InvalidInputError(f"user {user} is not in [0, {self.num_users})")
        return self.item_ids[self.offsets[user] : self.offsets[user + 1]]

    def __len__(self) -> int:
        return self.num_users

    def __repr__(self) -> str:
        return f"Interactions(num_users={self.num_users}, num_interactions={self.num_interactions})"


def _integer(name: str, value: Any) -> int:
    """Return an integer, of whatever type, as an int."""
    try:
        return operator.index(value)
    except TypeError:
        raise InvalidInputError(f"{name} must be an integer; got {value!r}") from None


def _list_of(user: int, sequence: npt.ArrayLike | Set[int]) -> npt.NDArray[Any]:
    """Return one user's sequence as a one-dimensional array, or raise InvalidInputError."""
    wanted = "pass one list of item ids per user"
    try:
        items = np.asarray(list(sequence) if isinstance(sequence, Set) else sequence)
    except ValueError as error:
        raise InvalidInputError(f"sequence {user} is ragged ({error}); {wanted}") from None
    if items.ndim != 1:
        raise InvalidInputError(f"sequence {user} has shape {items.shape}; {wanted}")
    return items


def _as_integers(items: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a user's items as int32 or int64, which concatenate without loss."""
    return items if items.dtype in (np.int32, np.int64) else _ids("items", items)


def _ids(name: str, values: npt.ArrayLike) -> npt.NDArray[np.integer[Any]]:
    """Return ids as int32 if they have that dtype, else as int64; raise for what is not an id."""
    array = np.asarray(values)
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise InvalidInputError(f"{name} must be integers; got dtype {array.dtype}")
    if int(array.min()) < 0:
        place = int(array.reshape(-1).argmin())
        raise InvalidInputError(f"{name} must be >= 0; got {int(array.min())} at index {place}")
    if int(array.max()) > np.iinfo(np.int64).max:
        raise InvalidInputError(f"{name} must be below 2**63; got {int(array.max())}")
    return array if array.dtype == np.int32 else array.astype(np.int64)
