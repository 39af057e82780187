"""Pre-selection (eq. 6) by kernels: the subsets of the reference."""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from negsamp.stream import Stream
from negsamp_torch.fused.counter import counter_of
from negsamp_torch.fused.kernels.subsets import floyd, write_keys

__all__ = ["bytes_per_row", "one_for_all_rows", "one_for_each_row"]

LANES = 32
"""Rows a program; as many as it has threads, so that each thread reads what it has written."""
KEYS = 128
"""Keys a program."""


def bytes_per_row(num_items: int, count: int) -> int:
    """Return what a row needs: its candidates, a flag an item, and the flags' places."""
    return 24 * count + num_items


def one_for_all_rows(stream: Stream, num_items: int, count: int, device: torch.device) -> Tensor:
    """Return `count` distinct places, ascending: those with the smallest keys."""
    keys = torch.empty(num_items, dtype=torch.int64, device=device)
    grid = (triton.cdiv(num_items, KEYS),)
    write_keys[grid](keys, counter_of(stream, device), num_items, LANES=KEYS)
    return keys.sort(stable=True).indices[:count].sort().values


def one_for_each_row(stream: Stream, num_items: int, count: int, numbers: Tensor) -> Tensor:
    """Return `count` distinct places of each row, ascending, without waiting for the device."""
    steps = min(count, num_items - count)
    taken = torch.zeros((len(numbers), num_items), dtype=torch.bool, device=numbers.device)
    floyd[(triton.cdiv(len(numbers), LANES),)](
        taken.view(torch.uint8),
        numbers,
        counter_of(stream, numbers.device),
        len(numbers),
        num_items,
        steps,
        LANES=LANES,
        num_warps=LANES // 32,
    )
    if steps != count:
        taken = ~taken
    chosen = taken.nonzero_static(size=len(numbers) * count)
    return chosen[:, 1].reshape(len(numbers), count).contiguous()
