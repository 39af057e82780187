"""Interactions against sets, from every source."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from negsamp import Interactions, InvalidInputError

Lists = st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=8)


def check(interactions: Interactions, lists: list[list[int]]) -> None:
    assert interactions.num_users == len(interactions) == len(lists)
    assert interactions.num_interactions == sum(len(set(items)) for items in lists)
    assert interactions.lengths.tolist() == [len(set(items)) for items in lists]
    for user, items in enumerate(lists):
        assert interactions.items_of(user).tolist() == sorted(set(items))


@given(Lists)
def test_from_every_source(lists: list[list[int]]) -> None:
    check(Interactions.from_sequences(lists), lists)
    users = [user for user, items in enumerate(lists) for _ in items]
    items = [item for items in lists for item in items]
    order = np.random.default_rng(0).permutation(len(items))
    pairs = np.array(users, int)[order], np.array(items, int)[order]
    check(Interactions.from_pairs(*pairs, num_users=len(lists)), lists)
    matrix = sparse.csr_array((np.ones(len(items)), (users, items)), shape=(len(lists) + 1, 31))
    check(Interactions.from_csr(matrix), [*lists, []])


def test_stored_zeros_are_no_interactions() -> None:
    matrix = sparse.csr_matrix(([1.0, 0.0, -2.0], [4, 1, 0], [0, 2, 3]), shape=(2, 5))
    interactions = Interactions.from_csr(matrix)
    assert interactions.items_of(0).tolist() == [4]
    assert interactions.items_of(1).tolist() == [0]


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_dtypes_stay_and_arrays_are_read_only(dtype: Any) -> None:
    interactions = Interactions.from_pairs(np.array([1, 0], dtype), np.array([5, 2], dtype))
    assert interactions.item_ids.dtype == dtype
    for array in (interactions.item_ids, interactions.offsets, interactions.items_of(0)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_the_number_of_users_counts_those_without_items() -> None:
    assert Interactions.from_pairs([0], [1], num_users=4).num_users == 4
    assert Interactions.from_pairs([0], [1], num_users=np.int32(4)).num_users == 4  # type: ignore[arg-type]
    assert Interactions.from_pairs([], []).num_users == 0


def test_users_may_come_in_any_dtype_of_integers() -> None:
    """Which NumPy would make floats of, together."""
    given = [np.array([5, 1], np.uint64), np.array([2]), np.array([7], np.int32)]
    check(Interactions.from_sequences(given), [[5, 1], [2], [7]])


def test_no_more_is_held_for_a_user_than_is_kept() -> None:
    tracemalloc.start()
    Interactions.from_pairs([0], [1], num_users=1_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * 8 * 1_000_000


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Interactions.from_sequences([[1.5]]), "items must be integers; got dtype float64"),
        (lambda: Interactions.from_sequences([[2, -3]]), "items must be >= 0; got -3 at index 1"),
        (lambda: Interactions.from_sequences([1, 2]), r"sequence 0 has shape \(\)"),
        (lambda: Interactions.from_sequences([[1], [2, [3]]]), "sequence 1 is ragged .* one list"),  # type: ignore[list-item]
        (lambda: Interactions.from_pairs([0, 1], [1]), r"of one length; got shapes \(2,\) and \(1"),
        (lambda: Interactions.from_pairs([-1], [1]), "users must be >= 0; got -1"),
        (lambda: Interactions.from_pairs([3], [1], 3), "user 3 is not below num_users = 3"),
        (lambda: Interactions.from_pairs([2**40], [1]), "more than 2147483647: users are numbered"),
        (lambda: Interactions.from_pairs([], [], -1), "num_users must be >= 0; got -1"),
        (lambda: Interactions.from_pairs([0], [1], 2.5), r"num_users must be an integer; got 2\.5"),  # type: ignore[arg-type]
        (lambda: Interactions.from_pairs([0], [1], "3"), "num_users must be an integer; got '3'"),  # type: ignore[arg-type]
        (lambda: Interactions.from_sequences([[1]]).items_of(0.0), "user must be an integer; got"),  # type: ignore[arg-type]
        (lambda: Interactions.from_csr(np.eye(2)), r"got ndarray: convert it with .*csr_array"),
        (lambda: Interactions.from_sequences({"a": [1]}), "one list .* got a dict: number"),
        (lambda: Interactions.from_sequences([[1]]).items_of(1), r"user 1 is not in \[0, 1\)"),
    ],
)
def test_wrong_interactions(build: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        build()


def test_a_user_may_have_a_set() -> None:
    interactions = Interactions.from_sequences([{3, 1}, frozenset(), {2: "two"}.keys()])
    assert [interactions.items_of(user).tolist() for user in range(3)] == [[1, 3], [], [2]]
