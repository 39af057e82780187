"""Leave-one-out: what is asked, what is known, and that neither is in the other."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negsamp import InvalidInputError
from negsamp_models.datasets import (
    DATASETS,
    Dataset,
    DatasetError,
    Evaluation,
    LeaveOneOut,
    Sequences,
    load_dataset,
)


def dataset_of(*lists: list[int]) -> Dataset:
    return Dataset("tiny", Sequences.from_lists(lists), max(map(max, lists)))


def lists_of(sequences: Sequences) -> list[list[int]]:
    return [items.tolist() for items in sequences]


def test_by_hand() -> None:
    split = LeaveOneOut.of(dataset_of([1, 2, 3, 4], [5, 6, 7, 8, 9, 10, 11, 12]), max_length=3)
    assert lists_of(split.training.inputs) == [[1], [7, 8, 9]]
    assert lists_of(split.training.targets) == [[2], [8, 9, 10]]
    assert split.training.users.tolist() == [0, 1]
    assert lists_of(split.training_part) == [[1, 2], [5, 6, 7, 8, 9, 10]]
    assert lists_of(split.validation.inputs) == [[1, 2], [8, 9, 10]]
    assert split.validation.answers.tolist() == [3, 11]
    assert lists_of(split.validation.seen) == [[1, 2], [5, 6, 7, 8, 9, 10]]
    assert lists_of(split.test.inputs) == [[1, 2, 3], [9, 10, 11]]
    assert split.test.answers.tolist() == [4, 12]
    assert lists_of(split.test.seen) == [[1, 2, 3], [5, 6, 7, 8, 9, 10, 11]]
    assert split.max_length == 3
    assert split.test.answers.dtype == split.training.users.dtype == np.int64


def test_a_user_who_comes_back() -> None:
    split = LeaveOneOut.of(dataset_of([1, 2, 1, 2, 1]))
    assert lists_of(split.training.inputs) == [[1, 2]]
    assert lists_of(split.training.targets) == [[2, 1]]
    assert split.validation.answers.tolist() == [2]
    assert lists_of(split.test.seen) == [[1, 2, 1, 2]]
    assert split.test.answers.tolist() == [1]


def test_one_position() -> None:
    split = LeaveOneOut.of(dataset_of([1, 2, 3, 4, 5]), max_length=1)
    assert lists_of(split.training.inputs) == [[2]]
    assert lists_of(split.training.targets) == [[3]]
    assert lists_of(split.test.inputs) == [[4]]


def check_question(part: Evaluation, user: int, answer: int, first: int, max_length: int) -> None:
    """Items of a user are first, first + 1, ..., so an item says where it stands."""
    assert part.answers[user] == answer
    assert part.seen[user].tolist() == list(range(first, answer))
    assert part.inputs[user].tolist() == list(range(max(first, answer - max_length), answer))


@given(st.lists(st.integers(4, 12), min_size=1, max_size=6), st.integers(1, 8))
def test_no_answer_is_known_before_it_is_asked_for(lengths: list[int], max_length: int) -> None:
    ends = np.cumsum(lengths)
    lists = [
        list(range(end - length + 1, end + 1)) for end, length in zip(ends, lengths, strict=True)
    ]
    split = LeaveOneOut.of(dataset_of(*lists), max_length)
    answers = {*split.validation.answers.tolist(), *split.test.answers.tolist()}
    assert len(answers) == 2 * len(lengths)
    for known in (split.training.inputs, split.training.targets, split.training_part):
        assert answers.isdisjoint(known.item_ids.tolist())
    for user, items in enumerate(lists):
        first, last = items[0], items[-1]
        check_question(split.validation, user, last - 1, first, max_length)
        check_question(split.test, user, last, first, max_length)
        assert split.training_part[user].tolist() == list(range(first, last - 1))
        inputs, targets = split.training.inputs[user], split.training.targets[user]
        assert (targets - inputs).tolist() == [1] * min(len(items) - 3, max_length)
        assert targets[-1] == last - 2


def test_no_users_at_all() -> None:
    with pytest.raises(DatasetError, match="tiny has no users: nothing to train on or to validate"):
        LeaveOneOut.of(Dataset("tiny", Sequences.from_lists([]), num_items=5))


def test_users_who_are_too_short() -> None:
    with pytest.raises(DatasetError) as caught:
        LeaveOneOut.of(dataset_of([1, 2, 3, 4], [1, 2, 3], [1, 2, 3, 4], [2]))
    assert str(caught.value).startswith(
        "2 of 4 users of tiny have fewer than 4 items, the first is user 1 (counted from 0) with 3;"
    )


@pytest.mark.parametrize("max_length", [0, -1, 2.0, None])
def test_max_length_that_is_none(max_length: int) -> None:
    with pytest.raises(
        InvalidInputError, match=f"max_length must be an integer, at least 1; got {max_length}"
    ):
        LeaveOneOut.of(dataset_of([1, 2, 3, 4]), max_length)


needs_published_data = pytest.mark.skipif(
    "NEGSAMP_DATA" not in os.environ,
    reason="NEGSAMP_DATA names no folder with the published data sets",
)


@needs_published_data
def test_beauty_has_the_papers_size() -> None:
    dataset = load_dataset("Beauty", attributes=True)
    statistics = dataset.statistics()
    assert statistics[:3] == (22_363, 12_101, 198_502)
    assert round(statistics.average_length, 1) == 8.9
    assert round(100 * (1 - statistics.density), 2) == 99.93
    longest = int(dataset.sequences.lengths.max())
    assert LeaveOneOut.of(dataset, longest).training.targets.num_actions == 131_413
    assert LeaveOneOut.of(dataset, 50).training.targets.num_actions == 128_031


@needs_published_data
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("Sports", (35_598, 18_357, 296_337)),
        ("Toys", (19_412, 11_924, 167_597)),
        ("Yelp", (30_431, 20_033, 316_354)),
    ],
)
def test_the_others_have_the_papers_size(name: str, size: tuple[int, int, int]) -> None:
    dataset = load_dataset(name, attributes=True)
    assert dataset.statistics()[:3] == size
    assert dataset.name in {each.name for each in DATASETS}
    assert dataset.attributes is not None
    assert dataset.attributes.num_items == size[1]
    returning = sum(len(np.unique(items)) < len(items) for items in dataset.sequences)
    assert returning == (7_102 if name == "Yelp" else 0)
