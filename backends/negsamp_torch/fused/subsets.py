"""Each row's own pre-selected candidates (eq. 6), by Floyd's algorithm in a kernel."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from negsamp.stream import Stream
from negsamp_torch.fused.words import place_of, words

__all__ = ["bytes_per_row", "one_for_each_row"]

LANES = 128
"""Rows a program; as many as it has threads, so that each thread reads what it has written."""


def bytes_per_row(num_items: int, count: int) -> int:
    """Return what a row needs: its candidates, a flag an item, and the flags' places."""
    return 24 * count + num_items


def one_for_each_row(stream: Stream, num_items: int, count: int, numbers: Tensor) -> Tensor:
    """Return `count` distinct places of each row, ascending, without waiting for the device."""
    steps = min(count, num_items - count)
    taken = torch.zeros((len(numbers), num_items), dtype=torch.bool, device=numbers.device)
    floyd[(triton.cdiv(len(numbers), LANES),)](
        taken.view(torch.uint8),
        numbers,
        place_of(stream, numbers.device),
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


@triton.jit(do_not_specialize=["num_rows", "num_items", "num_steps"])
def floyd(taken, numbers, place_in_stream, num_rows, num_items, num_steps, LANES: tl.constexpr):
    """Mark a uniform subset of `num_steps` places, one row a lane."""
    row = tl.program_id(0) * LANES + tl.arange(0, LANES)
    kept = row < num_rows
    number = tl.load(numbers + row, mask=kept, other=0)
    line = taken + row.to(tl.int64) * num_items
    for m in range(num_steps):
        largest = num_items - num_steps + m
        high, low = words(place_in_stream, 1, number * num_steps + m)
        word = (high.to(tl.uint64) << 32) | low.to(tl.uint64)
        bound = tl.full((LANES,), 1, tl.uint64) * (largest + 1).to(tl.uint64)
        place = tl.umulhi(word, bound).to(tl.int64)
        again = tl.load(line + place, mask=kept, other=0) != 0
        tl.store(line + tl.where(again, largest, place), 1, mask=kept)
