"""Kernels of the pre-selection: random keys for a shared subset, Floyd's algorithm for own ones."""

from __future__ import annotations

import triton
import triton.language as tl

from negsamp_torch.fused.kernels.words import words

__all__ = ["floyd", "list_places", "write_keys"]


@triton.jit(do_not_specialize=["num_rows", "num_items", "num_steps"])
def floyd(taken, numbers, counter, num_rows, num_items, num_steps, LANES: tl.constexpr):
    """Flag a uniform subset of `num_steps` places by Floyd's algorithm, one row per lane."""
    row = tl.program_id(0) * LANES + tl.arange(0, LANES)
    kept = row < num_rows
    number = tl.load(numbers + row, mask=kept, other=0)
    line = taken + row.to(tl.int64) * num_items
    for m in range(num_steps):
        largest = num_items - num_steps + m
        high, low = words(counter, 1, number * num_steps + m)
        word = (high.to(tl.uint64) << 32) | low.to(tl.uint64)
        bound = tl.full((LANES,), 1, tl.uint64) * (largest + 1).to(tl.uint64)
        place = tl.umulhi(word, bound).to(tl.int64)
        again = tl.load(line + place, mask=kept, other=0) != 0
        tl.store(line + tl.where(again, largest, place), 1, mask=kept)


@triton.jit(do_not_specialize=["num_items", "num_places"])
def list_places(places, flags, num_items, num_places, FLAG: tl.constexpr, FLAGS: tl.constexpr):
    """Compact the places of one row whose flag is FLAG, ascending; there are `num_places`."""
    row = tl.program_id(0).to(tl.int64)
    before = tl.zeros((), tl.int32)
    for start in range(0, num_items, FLAGS):
        place = start + tl.arange(0, FLAGS)
        inside = place < num_items
        found = inside & (tl.load(flags + row * num_items + place, mask=inside, other=0) == FLAG)
        index = before + tl.cumsum(found.to(tl.int32), 0) - 1
        tl.store(places + row * num_places + index, place.to(tl.int64), mask=found)
        before += tl.sum(found.to(tl.int32), 0)


@triton.jit(do_not_specialize=["num_items"])
def write_keys(keys, counter, num_items, LANES: tl.constexpr):
    """Write a random integer of 63 bits for each item."""
    place = tl.program_id(0).to(tl.int64) * LANES + tl.arange(0, LANES)
    high, low = words(counter, 1, place)
    tl.store(keys + place, (high << 31) | (low >> 1), mask=place < num_items)
