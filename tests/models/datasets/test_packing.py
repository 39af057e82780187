"""Packing loses no item, mixes no sequences and leaves hardly a slot empty."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from negsamp import InvalidInputError
from negsamp_models.datasets.packing import PackedBatch, pack, pad

MAX_LENGTH = 12
Lengths = st.lists(st.integers(1, MAX_LENGTH), min_size=1, max_size=40)


def numbered(lengths: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return sequences whose items are 1, 2, 3, ... in the order given."""
    return np.arange(1, sum(lengths) + 1), np.concatenate([[0], np.cumsum(lengths)])


def check_layout(batch: PackedBatch, lengths: list[int]) -> None:
    items, offsets = numbered(lengths)
    flat = batch.item_ids.flatten()
    assert flat[batch.slots].tolist() == items.tolist()
    assert flat[batch.last].tolist() == (offsets[1:]).tolist()
    assert int((flat != 0).sum()) == len(items)
    assert (batch.segment_ids.flatten() != 0).tolist() == (flat != 0).tolist()
    positions, segments = batch.position_ids.flatten(), batch.segment_ids.flatten()
    width = batch.item_ids.shape[1]
    for length, start in zip(lengths, offsets, strict=False):
        slots = batch.slots[start : start + length]
        assert slots.tolist() == list(range(int(slots[0]), int(slots[0]) + length))
        assert int(slots[0]) // width == int(slots[-1]) // width
        assert positions[slots].tolist() == list(range(MAX_LENGTH - length, MAX_LENGTH))
        row = segments.view(-1, width)[int(slots[0]) // width]
        assert int((row == segments[slots[0]]).sum()) == length


@given(Lengths, st.integers(MAX_LENGTH, 3 * MAX_LENGTH))
def test_every_item_has_its_slot(lengths: list[int], capacity: int) -> None:
    items, offsets = numbered(lengths)
    check_layout(pack(items, offsets, MAX_LENGTH, capacity), lengths)
    check_layout(pad(items, offsets, MAX_LENGTH), lengths)


@given(Lengths)
def test_the_mask_is_causal_within_a_sequence(lengths: list[int]) -> None:
    batch = pack(*numbered(lengths), MAX_LENGTH)
    mask = batch.causal_mask()[:, 0]
    for row in range(len(mask)):
        segments = batch.segment_ids[row].tolist()
        for i, mine in enumerate(segments):
            allowed = [j for j, other in enumerate(segments) if other == mine and j <= i]
            assert mask[row, i].nonzero()[:, 0].tolist() == allowed
            assert i in allowed


def test_rows_are_nearly_full() -> None:
    lengths = np.minimum(np.random.default_rng(0).geometric(1 / 5.9, size=256), 50)
    batch = pack(np.ones(lengths.sum(), np.int64), np.concatenate([[0], np.cumsum(lengths)]), 50)
    assert lengths.sum() / batch.item_ids.numel() > 0.95


@pytest.mark.parametrize("lay_out", [pack, pad])
@pytest.mark.parametrize("lengths", [[3, 0], [3, MAX_LENGTH + 1]])
def test_empty_and_long_sequences_are_refused(
    lay_out: Callable[..., PackedBatch], lengths: list[int]
) -> None:
    with pytest.raises(InvalidInputError, match=f"sequence 1 has {lengths[1]} items; .* 1 to"):
        lay_out(*numbered(lengths), MAX_LENGTH)


def test_a_row_holds_the_longest_sequence() -> None:
    assert pack(*numbered([1, 5, 3, 1]), MAX_LENGTH, capacity=5).item_ids.shape == (2, 5)
    with pytest.raises(InvalidInputError, match="capacity must be >= 5, the length of the longest"):
        pack(*numbered([1, 5, 3]), MAX_LENGTH, capacity=4)


def test_a_batch_moves_as_a_whole() -> None:
    batch = pack(*numbered([2, 3]), MAX_LENGTH).to(torch.device("meta"))
    assert {value.device.type for value in vars(batch).values()} == {"meta"}
