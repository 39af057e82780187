"""The second pass: draw the negatives of a row from its block masses, one program per row.

The first word of a draw picks a block by the inverse CDF over the masses. The scores of the block
are computed again, and the second word picks an item by the inverse CDF over them. Without
replacement the item is then masked, and the mass of its block is summed again.
"""

from __future__ import annotations

import triton
import triton.language as tl

from negsamp_torch.fused.kernels.blocks import block_exponents, log_mass
from negsamp_torch.fused.kernels.words import fraction, words

__all__ = ["draw"]


@triton.jit
def shares(shifts, sums, start, num_blocks, highest, TILE: tl.constexpr):
    """Return the masses of a tile of blocks, divided by 2 ** highest, float64."""
    block = start + tl.arange(0, TILE)
    inside = block < num_blocks
    total = tl.load(sums + block, mask=inside, other=0.0)
    shift = tl.load(shifts + block, mask=inside, other=-float("inf"))
    share = tl.where(total == 0.0, 0.0, total * tl.exp2(shift - highest))
    return share.to(tl.float64)


@triton.jit
def total_mass(shifts, sums, num_blocks, TILE: tl.constexpr):
    """Return shift (float32) and sum (float64) of all blocks together."""
    highest = tl.full((), -float("inf"), tl.float32)
    for start in range(0, num_blocks, TILE):
        block = start + tl.arange(0, TILE)
        shift = tl.load(shifts + block, mask=block < num_blocks, other=-float("inf"))
        highest = tl.maximum(highest, tl.max(shift, 0))
    total = tl.zeros((), tl.float64)
    for start in range(0, num_blocks, TILE):
        total += tl.sum(shares(shifts, sums, start, num_blocks, highest, TILE), 0)
    return highest, total


@triton.jit
def pick_block(shifts, sums, num_blocks, highest, threshold, TILE: tl.constexpr):
    """Return the first block at which the running sum exceeds the threshold."""
    before = tl.zeros((), tl.float64)
    block = tl.zeros((), tl.int32)
    for start in range(0, num_blocks, TILE):
        share = shares(shifts, sums, start, num_blocks, highest, TILE)
        running = before + tl.cumsum(share, 0)
        inside = start + tl.arange(0, TILE) < num_blocks
        block += tl.sum((inside & (running <= threshold)).to(tl.int32), 0)
        before += tl.sum(share, 0)
    return tl.minimum(block, num_blocks - 1)


@triton.jit(
    do_not_specialize=[
        "first",
        "first_item",
        "places_a_row",
        "num_more",
        "width",
        "num_blocks",
        "num_negatives",
    ],
    do_not_specialize_on_alignment=["count"],
)
def draw(
    item_ids,
    log_q,
    status,
    shifts,
    sums,
    numbers,
    count,
    first,
    counter,
    first_item,
    queries,
    items,
    places,
    places_a_row,
    user_items,
    begins,
    ends,
    more,
    num_more,
    factor,
    width,
    dim,
    stride,
    num_blocks,
    num_negatives,
    BLOCK: tl.constexpr,
    TILE: tl.constexpr,
    STEP: tl.constexpr,
    STEPS: tl.constexpr,
    LISTED: tl.constexpr,
    REPLACEMENT: tl.constexpr,
):
    """Draw the negatives of one row.

    An error is written to its status: 1 for a bad score, 2 + j if draw j has nothing left.
    """
    row = tl.program_id(0).to(tl.int64)
    if first + row >= tl.load(count):
        return
    number = tl.load(numbers + first + row)
    begin = tl.load(begins + number)
    end = tl.load(ends + number)
    shifts += row * num_blocks
    sums += row * num_blocks
    places += row * places_a_row
    item_ids += number * num_negatives
    column = tl.arange(0, BLOCK)
    scale = tl.load(factor)
    highest, total = total_mass(shifts, sums, num_blocks, TILE)
    top = highest.to(tl.float64)
    log_total = tl.log2(total)
    problem = tl.load(status + number)
    for j in range(num_negatives):
        if not REPLACEMENT:
            if j > 0:
                highest, total = total_mass(shifts, sums, num_blocks, TILE)
        if problem == 0:
            if not (total < float("inf")):
                problem = 1
            elif total == 0.0:
                problem = 2 + j
        if problem == 0:
            word, next_word = words(counter, 0, number * num_negatives + j)
            threshold = fraction(word) * total
            block = pick_block(shifts, sums, num_blocks, highest, threshold, TILE)
            exponents = block_exponents(
                queries + number * dim,
                items,
                places,
                user_items,
                begin,
                end,
                more + number * num_more,
                num_more,
                block,
                scale,
                width,
                dim,
                stride,
                BLOCK,
                STEP,
                STEPS,
                LISTED,
            )
            place = block * BLOCK + column.to(tl.int64)
            if LISTED:
                place = tl.load(places + place, mask=place < width, other=-1)
            if not REPLACEMENT:
                for i in range(j):
                    again = tl.load(item_ids + i) == place + first_item
                    exponents = tl.where(again, -float("inf"), exponents)
            weights = tl.exp2((exponents - tl.max(exponents, 0)).to(tl.float64))
            running = tl.cumsum(weights, 0)
            threshold = fraction(next_word) * tl.sum(weights, 0)
            picked = column == tl.sum((running <= threshold).to(tl.int32), 0)
            exponent = tl.max(tl.where(picked, exponents, -float("inf")), 0)
            tl.store(item_ids + j, tl.max(tl.where(picked, place, -1), 0) + first_item)
            log = (exponent.to(tl.float64) - top - log_total) * 0.6931471805599453
            tl.store(log_q + number * num_negatives + j, tl.minimum(log.to(tl.float32), 0.0))
            if not REPLACEMENT:
                exponents = tl.where(picked, -float("inf"), exponents)
                shift, left = log_mass(exponents, 0)
                tl.store(shifts + block, shift)
                tl.store(sums + block, left)
                tl.debug_barrier()
        else:
            tl.store(item_ids + j, tl.zeros((), tl.int64) + first_item)
            tl.store(log_q + number * num_negatives + j, float("nan"))
    tl.store(status + number, problem)
