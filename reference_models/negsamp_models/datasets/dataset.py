"""A data set: one sequence of items per user, and optional attributes of the items."""

from __future__ import annotations

import hashlib
import operator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from negsamp import InvalidInputError, NegSampError
from negsamp_models.datasets.sequences import Int64Array, Sequences, check_ids, compressed_rows

__all__ = ["MINIMUM_LENGTH", "Dataset", "DatasetError", "ItemAttributes", "Statistics"]

MINIMUM_LENGTH = 4
"""Shortest sequence for leave-one-out: a training input, its target, and two answers."""


class DatasetError(NegSampError, ValueError):
    """A data set is missing, damaged, or not fit for leave-one-out."""


@dataclass(frozen=True, eq=False)
class ItemAttributes:
    """The attributes of each item in compressed rows.

    Item i has ``attribute_ids[offsets[i]:offsets[i + 1]]``; row 0, the padding, is empty.

    Parameters
    ----------
    attribute_ids : int64, shape (num_pairs,)
        Ids from 1; an item may have none, or duplicates if its source has them.
    offsets : int64, shape (num_items + 2,)
        Non-decreasing, from 0 to num_pairs.

    Raises
    ------
    InvalidInputError
        If the arrays are not compressed rows of integers (see `Sequences`), an id is below 1, or
        row 0 is not empty.

    Examples
    --------
    >>> import numpy as np
    >>> attributes = ItemAttributes(np.array([7, 2, 7]), np.array([0, 0, 2, 3]))
    >>> attributes[1].tolist(), attributes[2].tolist(), attributes.num_attributes
    ([7, 2], [7], 7)
    """

    attribute_ids: Int64Array
    offsets: Int64Array

    def __post_init__(self) -> None:
        ids, offsets = compressed_rows("attribute_ids", self.attribute_ids, self.offsets)
        check_ids("attribute_ids", ids, 1, None)
        if len(offsets) < 2 or offsets[1] != 0:
            raise InvalidInputError("row 0 of the attributes is padding and must be empty")
        object.__setattr__(self, "attribute_ids", ids)
        object.__setattr__(self, "offsets", offsets)

    @property
    def num_items(self) -> int:
        """Largest item id that has a row."""
        return len(self.offsets) - 2

    @property
    def num_attributes(self) -> int:
        """Largest attribute id; 0 if there is none."""
        return int(self.attribute_ids.max(initial=0))

    def __getitem__(self, item_id: int) -> Int64Array:
        place = operator.index(item_id)
        return self.attribute_ids[self.offsets[:-1][place] : self.offsets[1:][place]]


class Statistics(NamedTuple):
    """Size statistics of a data set.

    Attributes
    ----------
    num_users, num_items, num_actions : int
        Number of sequences, of distinct items, and of interactions (repeats included).
    average_length : float
        num_actions / num_users; 0 without users.
    density : float
        num_actions / (num_users * num_items), a fraction; papers often print the sparsity,
        1 - density.
    """

    num_users: int
    num_items: int
    num_actions: int
    average_length: float
    density: float


@dataclass(frozen=True, eq=False)
class Dataset:
    """One sequence of items per user, in time order.

    Parameters
    ----------
    name : str
        Name in tables and run folders.
    sequences : Sequences
        Sequence u belongs to user u, counted from 0; item ids lie in [1, num_items].
    num_items : int
        Number of items; id 0 is padding.
    attributes : ItemAttributes, optional
        The attributes of each item.
    description : str
        One sentence on where the data come from.

    Raises
    ------
    InvalidInputError
        If an item id is not in [1, num_items], or the attributes are of another number of items.

    Examples
    --------
    >>> dataset = Dataset("tiny", Sequences.from_lists([[1, 2, 1, 3], [3, 2, 1, 4]]), num_items=4)
    >>> dataset.statistics()
    Statistics(num_users=2, num_items=4, num_actions=8, average_length=4.0, density=1.0)
    >>> dataset.item_counts().tolist()
    [0, 3, 2, 2, 1]
    """

    name: str
    sequences: Sequences
    num_items: int
    attributes: ItemAttributes | None = None
    description: str = ""

    def __post_init__(self) -> None:
        check_ids("item_ids", self.sequences.item_ids, 1, self.num_items)
        if self.attributes is not None and self.attributes.num_items != self.num_items:
            raise InvalidInputError(
                f"attributes must be of the {self.num_items} items of the data set; got those of "
                f"{self.attributes.num_items} items"
            )

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the sequences, which identifies data of the same name."""
        content = self.sequences.item_ids.tobytes() + self.sequences.offsets.tobytes()
        return hashlib.sha256(content).hexdigest()

    @property
    def num_users(self) -> int:
        """Number of users, which is the number of sequences."""
        return len(self.sequences)

    def statistics(self) -> Statistics:
        """Return the size statistics of the data set.

        Returns
        -------
        Statistics
        """
        actions = self.sequences.num_actions
        return Statistics(
            num_users=self.num_users,
            num_items=self.num_items,
            num_actions=actions,
            average_length=actions / max(self.num_users, 1),
            density=actions / max(self.num_users * self.num_items, 1),
        )

    def share_of_returns(self) -> float:
        """Return the fraction of users whose last item, the test answer, is one they had before.

        With the items of the input masked, such an answer counts as a miss. 0 without users.
        """
        sequences = self.sequences.take(np.flatnonzero(self.sequences.lengths))
        lasts = sequences.item_ids[sequences.offsets[1:] - 1]
        same = sequences.item_ids == np.repeat(lasts, sequences.lengths)
        times = np.add.reduceat(same, sequences.offsets[:-1], dtype=np.int64)
        return int(np.count_nonzero(times > 1)) / max(self.num_users, 1)

    def item_counts(self) -> Int64Array:
        """Count how often each item occurs, validation and test answers included.

        A sampler must only see the training part: give it
        ``split.training_part.item_counts(num_items)`` of a `LeaveOneOut`.

        Returns
        -------
        int64, shape (num_items + 1,)
            Position i belongs to item i; position 0, the padding, is 0.
        """
        return self.sequences.item_counts(self.num_items)
