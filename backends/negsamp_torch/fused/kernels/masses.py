"""The first pass: the mass of every block of every row; scores never leave the registers.

A program computes a tile of rows x 128 columns by matrix products, scales it to exponents of two,
masks it, and reduces each of its rows to a shift, which is the maximum, and the sum of
2 ** (exponent - shift). Sums need no atomics, and are the same in every run. Excluded items are
masked before a sum, never subtracted from it, which would cancel where the target has nearly all
the mass.
"""

from __future__ import annotations

import triton
import triton.language as tl

from negsamp_torch.fused.kernels.blocks import block_exponents, log_mass
from negsamp_torch.fused.kernels.exclusion import lower_bound

__all__ = ["exclude", "masses_of_own", "masses_of_shared"]


@triton.jit
def part_of_queries(queries, number, kept, start, dim, STEP: tl.constexpr):
    """Return STEP dimensions of the queries of a tile of rows, from `start` on, zeros beyond."""
    axis = start + tl.arange(0, STEP)
    known = kept[:, None] & (axis < dim)[None, :]
    return tl.load(queries + number[:, None] * dim + axis[None, :], mask=known, other=0.0)


@triton.jit
def part_of_items(items, place, inside, start, dim, stride, STEP: tl.constexpr):
    """Return STEP dimensions of the items of a block, one per column; rows are `stride` apart."""
    axis = start + tl.arange(0, STEP)
    known = inside[None, :] & (axis < dim)[:, None]
    return tl.load(items + place[None, :] * stride + axis[:, None], mask=known, other=0.0)


@triton.jit
def multiply(query, lines, score, PRECISION: tl.constexpr, WIDEN: tl.constexpr):
    """Add a product in the dtype of the queries to the scores."""
    lines = lines.to(query.dtype)
    if WIDEN:
        query, lines = query.to(tl.float32), lines.to(tl.float32)
    return tl.dot(query, lines, score, input_precision=PRECISION)


@triton.jit(
    do_not_specialize=["first", "num_rows", "width", "num_blocks", "blocks_each"],
    do_not_specialize_on_alignment=["count"],
)
def masses_of_shared(
    shifts,
    sums,
    numbers,
    count,
    first,
    num_rows,
    queries,
    items,
    places,
    factor,
    width,
    dim,
    stride,
    num_blocks,
    blocks_each,
    more,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    STEP: tl.constexpr,
    ONE_STEP: tl.constexpr,
    LISTED: tl.constexpr,
    ONE_EXCLUDED: tl.constexpr,
    PRECISION: tl.constexpr,
    WIDEN: tl.constexpr,
):
    """Compute the masses of ROWS rows and `blocks_each` consecutive blocks.

    With ONE_EXCLUDED each row excludes just the item in `more`, which is masked here; else nothing
    is masked, and `exclude` corrects the masses.

    The chunk has `num_rows` rows and starts at the `first` of all rows, of which `count` are
    sampled. With ONE_STEP queries have at most STEP dimensions: they stay in registers, and the
    next block is loaded while one is summed.
    """
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    kept = (row < num_rows) & (first + row < tl.load(count))
    if first + tl.program_id(0) * ROWS >= tl.load(count):
        return
    number = tl.load(numbers + first + row, mask=kept, other=0)
    scale = tl.load(factor)
    if ONE_STEP:
        query = part_of_queries(queries, number, kept, 0, dim, STEP)
    if ONE_EXCLUDED:
        excluded = tl.load(more + number, mask=kept, other=-1).to(tl.int32)
    first_block = tl.program_id(1) * blocks_each
    end = tl.minimum(first_block + blocks_each, num_blocks)
    for block in range(first_block, end):
        column = block * BLOCK + tl.arange(0, BLOCK)
        inside = column < width
        place = tl.load(places + column, mask=inside, other=0) if LISTED else column.to(tl.int64)
        score = tl.zeros((ROWS, BLOCK), tl.float32)
        if ONE_STEP:
            lines = part_of_items(items, place, inside, 0, dim, stride, STEP)
            score = multiply(query, lines, score, PRECISION, WIDEN)
        else:
            for start in range(0, dim, STEP):
                query = part_of_queries(queries, number, kept, start, dim, STEP)
                lines = part_of_items(items, place, inside, start, dim, stride, STEP)
                score = multiply(query, lines, score, PRECISION, WIDEN)
        exponent = tl.where(inside[None, :], score * scale, -float("inf"))
        if ONE_EXCLUDED:
            is_target = place.to(tl.int32)[None, :] == excluded[:, None]
            exponent = tl.where(is_target, -float("inf"), exponent)
        shift, total = log_mass(exponent, 1)
        tl.store(shifts + row.to(tl.int64) * num_blocks + block, shift, mask=kept)
        tl.store(sums + row.to(tl.int64) * num_blocks + block, total, mask=kept)


@triton.jit(
    do_not_specialize=["first", "num_more", "width", "num_blocks"],
    do_not_specialize_on_alignment=["count"],
)
def masses_of_own(
    shifts,
    sums,
    numbers,
    count,
    first,
    queries,
    items,
    places,
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
    BLOCK: tl.constexpr,
    STEP: tl.constexpr,
    STEPS: tl.constexpr,
):
    """Compute the mass of one block of one row's own candidates, without exclusions."""
    row = (tl.program_id(0) // num_blocks).to(tl.int64)
    block = tl.program_id(0) % num_blocks
    if first + row >= tl.load(count):
        return
    number = tl.load(numbers + first + row)
    exponents = block_exponents(
        queries + number * dim,
        items,
        places + row * width,
        user_items,
        tl.load(begins + number),
        tl.load(ends + number),
        more + number * num_more,
        num_more,
        block,
        tl.load(factor),
        width,
        dim,
        stride,
        BLOCK,
        STEP,
        STEPS,
        True,
    )
    shift, total = log_mass(exponents, 0)
    tl.store(shifts + row * num_blocks + block, shift)
    tl.store(sums + row * num_blocks + block, total)


@triton.jit(
    do_not_specialize=["first", "num_more", "width", "num_blocks"],
    do_not_specialize_on_alignment=["count"],
)
def exclude(
    shifts,
    sums,
    numbers,
    count,
    first,
    queries,
    items,
    places,
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
    BLOCK: tl.constexpr,
    STEP: tl.constexpr,
    STEPS: tl.constexpr,
    PLACE_STEPS: tl.constexpr,
    EACH: tl.constexpr,
    LISTED: tl.constexpr,
):
    """Compute the masses again of the blocks in which one row has excluded items, without these.

    A program handles EACH of the items; if two programs meet in a block, they write the same.
    """
    row = tl.program_id(0).to(tl.int64)
    if first + row >= tl.load(count):
        return
    number = tl.load(numbers + first + row)
    begin = tl.load(begins + number)
    end = tl.load(ends + number)
    more += number * num_more
    scale = tl.load(factor)
    last = tl.full((), -1, tl.int64)
    start = begin + tl.program_id(1) * EACH
    for i in range(start, tl.minimum(start + EACH, end + num_more)):
        if i < end:
            place = tl.load(user_items + i).to(tl.int64)
        else:
            place = tl.load(more + (i - end))
        column = place
        if LISTED:
            column = lower_bound(places, place, 0, width, PLACE_STEPS)
            found = tl.load(places + column, mask=column < width, other=-1)
            column = tl.where(found == place, column, -1)
        block = tl.where(column < 0, last, column // BLOCK)
        if block != last:
            exponents = block_exponents(
                queries + number * dim,
                items,
                places,
                user_items,
                begin,
                end,
                more,
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
            shift, total = log_mass(exponents, 0)
            tl.store(shifts + row * num_blocks + block, shift)
            tl.store(sums + row * num_blocks + block, total)
        last = block
