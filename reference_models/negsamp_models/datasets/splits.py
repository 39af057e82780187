"""Leave-one-out: each user's last item is the test answer, the one before it for validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from negsamp import InvalidInputError
from negsamp_models.datasets.dataset import MINIMUM_LENGTH, Dataset, DatasetError
from negsamp_models.datasets.sequences import Int64Array, Sequences

__all__ = ["Evaluation", "LeaveOneOut", "Training"]


@dataclass(frozen=True, eq=False)
class Training:
    """Training data: at each position, an input item and the next item as its target.

    Attributes
    ----------
    inputs, targets : Sequences
        Row r has the same length in both; ``targets[r][t]`` follows ``inputs[r][t]``.
    users : int64, shape (num_rows,)
        The user of each row, counted from 0.
    """

    inputs: Sequences
    targets: Sequences
    users: Int64Array


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Evaluation data: for each user, predict the item that follows the inputs. Row u is user u.

    Attributes
    ----------
    inputs : Sequences
        The last max_length items before the answer.
    answers : int64, shape (num_users,)
        The item that came next.
    seen : Sequences
        All items before the answer. Users may repeat items, so an answer may be among them.
    """

    inputs: Sequences
    answers: Int64Array
    seen: Sequences

    def take(self, users: Int64Array) -> Evaluation:
        """Select users, in the order given."""
        return Evaluation(self.inputs.take(users), self.answers[users], self.seen.take(users))

    @property
    def is_new(self) -> npt.NDArray[np.bool_]:
        """Whether each answer is not among the items seen, shape (num_users,)."""
        owners = np.repeat(np.arange(len(self.answers)), self.seen.lengths)
        is_new = np.ones(len(self.answers), dtype=np.bool_)
        is_new[owners[self.seen.item_ids == self.answers[owners]]] = False
        return is_new


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """The leave-one-out split of a data set.

    For a user's items s[0], ..., s[n - 1], with "last" for the last max_length of them:

    ========== ================ ====================
    part       inputs           targets or answer
    ========== ================ ====================
    training   last of s[:-3]   last of s[1:-2]
    validation last of s[:-2]   s[-2]
    test       last of s[:-1]   s[-1]
    ========== ================ ====================

    Attributes
    ----------
    training : Training
        One row per user, in the order of the users.
    validation, test : Evaluation
        One row per user, in the order of the users.
    training_part : Sequences
        s[:-2] of each user, not cut to max_length: all that training and the sampler may use.
        Exclude these items and count popularity over them; if the answers were included, the
        negatives would leak the held-out items to the model.
    max_length : int
        Longest input.

    Examples
    --------
    >>> dataset = Dataset("tiny", Sequences.from_lists([[1, 2, 3, 4, 5, 6]]), num_items=6)
    >>> split = LeaveOneOut.of(dataset, max_length=2)
    >>> split.training.inputs[0].tolist(), split.training.targets[0].tolist()
    ([2, 3], [3, 4])
    >>> split.validation.inputs[0].tolist(), split.validation.answers.tolist()
    ([3, 4], [5])
    >>> split.test.inputs[0].tolist(), split.test.answers.tolist(), split.test.seen[0].tolist()
    ([4, 5], [6], [1, 2, 3, 4, 5])
    """

    training: Training
    validation: Evaluation
    test: Evaluation
    training_part: Sequences
    max_length: int

    @classmethod
    def of(cls, dataset: Dataset, max_length: int = 50) -> LeaveOneOut:
        """Split a data set.

        Parameters
        ----------
        dataset : Dataset
            With at least 4 items per user.
        max_length : int
            Longest input, at least 1.

        Returns
        -------
        LeaveOneOut

        Raises
        ------
        InvalidInputError
            If `max_length` is not an integer or below 1.
        DatasetError
            If there is no user, or one has fewer than 4 items.
        """
        if not isinstance(max_length, int | np.integer) or max_length < 1:
            raise InvalidInputError(
                f"max_length must be an integer, at least 1; got {max_length!r}"
            )
        sequences = dataset.sequences
        if not len(sequences):
            raise DatasetError(f"{dataset.name} has no users: nothing to train on or to validate")
        if len(short := np.flatnonzero(sequences.lengths < MINIMUM_LENGTH)):
            raise DatasetError(
                f"{len(short)} of {len(sequences)} users of {dataset.name} have fewer than "
                f"{MINIMUM_LENGTH} items, the first is user {short[0]} (counted from 0) with "
                f"{sequences.lengths[short[0]]}; leave-one-out needs {MINIMUM_LENGTH}: drop them"
            )
        before_validation, before_test = sequences.without_last(2), sequences.without_last(1)
        return cls(
            training=Training(
                inputs=before_validation.without_last(1).last(max_length),
                targets=before_validation.without_first(1).last(max_length),
                users=np.arange(len(sequences)),
            ),
            validation=_evaluation(sequences, before_validation, max_length),
            test=_evaluation(sequences, before_test, max_length),
            training_part=before_validation,
            max_length=int(max_length),
        )


def _evaluation(sequences: Sequences, seen: Sequences, max_length: int) -> Evaluation:
    """Take the item after the seen ones of each sequence as its answer."""
    answers = sequences.item_ids[sequences.offsets[:-1] + seen.lengths]
    return Evaluation(inputs=seen.last(max_length), answers=answers, seen=seen)
