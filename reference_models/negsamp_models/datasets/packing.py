"""Pack several sequences into one row: a padded batch is mostly padding, a packed one hardly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from negsamp import InvalidInputError
from negsamp_models.datasets.sequences import Int64Array

__all__ = ["PackedBatch", "causal_mask", "on_device", "pack", "pad"]


@dataclass(frozen=True, eq=False)
class PackedBatch:
    """Sequences laid out in rows of slots.

    Attributes
    ----------
    item_ids : int64, shape (num_rows, length)
        Items; 0 in empty slots.
    position_ids : int64, shape (num_rows, length)
        Position of each item: the last item of every sequence has max_length - 1.
    segment_ids : int64, shape (num_rows, length)
        Number of the sequence in the order given, from 1; 0 in empty slots.
    slots : int64, shape (num_tokens,)
        Index of each item in the flattened slots (num_rows * length), in the order in which the
        items were given: sequence by sequence.
    last : int64, shape (num_sequences,)
        Index of each sequence's last item in the flattened slots.
    """

    item_ids: Tensor
    position_ids: Tensor
    segment_ids: Tensor
    slots: Tensor
    last: Tensor

    def to(self, device: torch.device) -> PackedBatch:
        """Return the batch on a device."""
        tensors = self.item_ids, self.position_ids, self.segment_ids, self.slots, self.last
        return PackedBatch(*(on_device(tensor, device) for tensor in tensors))

    def causal_mask(self) -> Tensor:
        """Return the causal attention mask: bool, shape (num_rows, 1, length, length).

        An item attends to itself and to earlier items of its own sequence. An empty slot attends to
        itself and to earlier empty slots of its row, so that no softmax is over an empty set.
        """
        return causal_mask(self.segment_ids)

    def bidirectional_mask(self) -> Tensor:
        """Return the bidirectional attention mask, in the shape of the causal mask.

        An item attends to its whole sequence, an empty slot to all empty slots of its row.
        """
        return _same_segment(self.segment_ids)

    def tokens(self, hidden: Tensor) -> Tensor:
        """Select the slots of items from (num_rows, length, dim), in the order of `slots`."""
        return hidden.flatten(0, 1).index_select(0, self.slots)

    def last_tokens(self, hidden: Tensor) -> Tensor:
        """Select the last item of each sequence from (num_rows, length, dim)."""
        return hidden.flatten(0, 1).index_select(0, self.last)


def causal_mask(segment_ids: Tensor) -> Tensor:
    """Return the mask of :meth:`PackedBatch.causal_mask`, computed from segment ids."""
    slots = torch.arange(segment_ids.shape[1], device=segment_ids.device)
    return _same_segment(segment_ids) & (slots[:, None] >= slots)


def _same_segment(segment_ids: Tensor) -> Tensor:
    return (segment_ids[:, :, None] == segment_ids[:, None, :]).unsqueeze(1)


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor to a device without synchronising with it."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()  # a copy from pageable memory would synchronise
    return tensor.to(device, non_blocking=True)


def pack(
    item_ids: Int64Array, offsets: Int64Array, max_length: int, capacity: int | None = None
) -> PackedBatch:
    """Pack sequences into rows by best fit, longest first: into the fullest row with room.

    Parameters
    ----------
    item_ids : int64, shape (num_tokens,)
        Items of sequence 0, then of sequence 1, ...
    offsets : int64, shape (num_sequences + 1,)
        Sequence s is ``item_ids[offsets[s]:offsets[s + 1]]``; 1 to max_length items.
    max_length : int
        Number of positions of the model.
    capacity : int, optional
        Slots per row, at least the length of the longest sequence; by default `max_length`.

    Returns
    -------
    PackedBatch

    Raises
    ------
    InvalidInputError
        If a sequence is empty or longer than `max_length`, or longer than `capacity`.
    """
    capacity = max_length if capacity is None else capacity
    lengths = _lengths(offsets, max_length)
    if capacity < (longest := int(lengths.max(initial=0))):
        raise InvalidInputError(
            f"capacity must be >= {longest}, the length of the longest sequence; got {capacity}"
        )
    row, start, num_rows = _best_fit(lengths, capacity)
    return _lay_out(item_ids, lengths, row, start, num_rows, capacity, max_length)


def pad(item_ids: Int64Array, offsets: Int64Array, max_length: int) -> PackedBatch:
    """Put one sequence into each row, padded on the left to `max_length`, as SASRec's authors do.

    The parameters, the result and the errors are those of :func:`pack`.
    """
    lengths = _lengths(offsets, max_length)
    rows = np.arange(len(lengths))
    return _lay_out(
        item_ids, lengths, rows, max_length - lengths, len(lengths), max_length, max_length
    )


def _lengths(offsets: Int64Array, max_length: int) -> Int64Array:
    lengths = np.diff(offsets)
    wrong = (lengths < 1) | (lengths > max_length)
    if wrong.any():
        first = int(wrong.argmax())
        raise InvalidInputError(
            f"sequence {first} has {lengths[first]} items; allowed are 1 to max_length = "
            f"{max_length}: cut longer sequences to their last items"
        )
    return lengths


def _best_fit(lengths: Int64Array, capacity: int) -> tuple[Int64Array, Int64Array, int]:
    """Return the row of each sequence, its first slot there, and the number of rows."""
    rows_with_room: list[list[int]] = [[] for _ in range(capacity + 1)]
    rooms = 0  # bit r is set if a row has exactly r empty slots
    rows, starts, num_rows = [], [], 0
    order = np.argsort(-lengths, kind="stable")
    for length in lengths[order].tolist():
        if fitting := rooms >> length:
            room = length + (fitting & -fitting).bit_length() - 1
            place = rows_with_room[room].pop()
            rooms ^= 0 if rows_with_room[room] else 1 << room
        else:
            place, room, num_rows = num_rows, capacity, num_rows + 1
        rows.append(place)
        starts.append(capacity - room)
        rows_with_room[room - length].append(place)
        rooms |= 1 << (room - length)
    row, start = np.empty_like(lengths), np.empty_like(lengths)
    row[order], start[order] = rows, starts
    return row, start, num_rows


def _lay_out(
    item_ids: Int64Array,
    lengths: Int64Array,
    row: Int64Array,
    start: Int64Array,
    num_rows: int,
    capacity: int,
    max_length: int,
) -> PackedBatch:
    first_slot = row * capacity + start
    ends = np.cumsum(lengths)
    within = np.arange(len(item_ids)) - np.repeat(ends - lengths, lengths)
    slots = np.repeat(first_slot, lengths) + within
    items, positions, segments = np.zeros((3, num_rows * capacity), dtype=np.int64)
    items[slots] = item_ids
    positions[slots] = np.repeat(max_length - lengths, lengths) + within
    segments[slots] = np.repeat(np.arange(1, len(lengths) + 1), lengths)
    grid = (num_rows, capacity)
    return PackedBatch(
        item_ids=torch.from_numpy(items).view(grid),
        position_ids=torch.from_numpy(positions).view(grid),
        segment_ids=torch.from_numpy(segments).view(grid),
        slots=torch.from_numpy(slots),
        last=torch.from_numpy(first_slot + lengths - 1),
    )
