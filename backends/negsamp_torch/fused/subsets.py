"""Pre-selection (eq. 6) by kernels: the same subsets as the reference's."""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from negsamp.stream import Stream
from negsamp_torch.fused.counter import counter_of
from negsamp_torch.fused.kernels.subsets import floyd, list_places, write_keys

__all__ = ["bytes_per_row", "one_for_all_rows", "one_for_each_row"]

LANES = 32
"""Rows per program, one per thread: a thread reads only flags that it has written itself."""
KEYS = 128
"""Keys per program."""
FLAGS = 1024
"""Flags that a program reads at a time."""


def bytes_per_row(num_items: int, count: int) -> int:
    """Return the bytes that a row needs: its candidates (int64), and a flag per item."""
    return 8 * count + num_items


def one_for_all_rows(stream: Stream, num_items: int, count: int, device: torch.device) -> Tensor:
    """Return `count` distinct places, ascending: those with the smallest keys."""
    keys = torch.empty(num_items, dtype=torch.int64, device=device)
    grid = (triton.cdiv(num_items, KEYS),)
    write_keys[grid](keys, counter_of(stream, device), num_items, LANES=KEYS)
    return keys.sort(stable=True).indices[:count].sort().values


def one_for_each_row(stream: Stream, num_items: int, count: int, numbers: Tensor) -> Tensor:
    """Return `count` distinct places of each row, ascending, without waiting for the device."""
    steps = min(count, num_items - count)
    flags = torch.zeros((len(numbers), num_items), dtype=torch.uint8, device=numbers.device)
    floyd[(triton.cdiv(len(numbers), LANES),)](
        flags,
        numbers,
        counter_of(stream, numbers.device),
        len(numbers),
        num_items,
        steps,
        LANES=LANES,
        num_warps=LANES // 32,
    )
    places = torch.empty((len(numbers), count), dtype=torch.int64, device=numbers.device)
    list_places[(len(numbers),)](
        places, flags, num_items, count, FLAG=int(steps == count), FLAGS=FLAGS
    )
    return places
