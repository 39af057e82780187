"""Draws in proportion to fixed integer weights, one draw per lane, by an inverse CDF.

A uniform integer below the row's admissible weight is raised by the weight of every excluded item
that has an admissible weight of at most that integer before it: first those of the row's own
`more`, one by one, then those of its user, by bisection. The draw is the item at which the
cumulative weight exceeds the result.
"""

from __future__ import annotations

import triton
import triton.language as tl

from negsamp_torch.fused.kernels.exclusion import lower_bound
from negsamp_torch.fused.kernels.words import words

__all__ = ["draw"]


@triton.jit
def weight_before(running, index, mask, WEIGHTED: tl.constexpr):
    """Return the exclusive prefix sum at each index; without weights, the index."""
    return tl.load(running + index, mask=mask, other=0) if WEIGHTED else index


@triton.jit
def load_excluded(more, i, num_more, row, user_items, begin, end, mask, STEPS: tl.constexpr):
    """Return the i-th place of the row's `more`, its index in the user's items, and if it counts.

    It does not count if it is -1, a duplicate, or among the user's items.
    """
    place = tl.load(more + row * num_more + i, mask=mask, other=-1)
    previous = tl.load(more + row * num_more + i - 1, mask=mask & (i > 0), other=-1)
    index = lower_bound(user_items, place, begin, end, STEPS)
    known = tl.load(user_items + index, mask=index < end, other=-1) == place
    return place, index, (place >= 0) & (place != previous) & ~known


@triton.jit(
    do_not_specialize=[
        "num_more",
        "num_rows",
        "first_item",
        "num_items",
        "num_negatives",
        "first_draw",
        "draws",
        "no_weight",
    ]
)
def draw(
    item_ids,
    log_q,
    status,
    first_totals,
    kept,
    counter,
    user_items,
    begins,
    ends,
    more,
    num_more,
    cumulative,
    weights_before,
    num_rows,
    first_item,
    num_items,
    num_negatives,
    first_draw,
    draws,
    no_weight,
    LANES: tl.constexpr,
    STEPS: tl.constexpr,
    ITEM_STEPS: tl.constexpr,
    WEIGHTED: tl.constexpr,
    MASKED: tl.constexpr,
):
    """Draw `draws` negatives of each row, from number `first_draw` on.

    `more` must be ascending. `first_totals` keeps the admissible weight at a row's first draw,
    whose law log_q is. A row with no weight left gets the status ``no_weight + first_draw``.
    """
    lane = tl.program_id(0).to(tl.int64) * LANES + tl.arange(0, LANES)
    row = lane // draws
    inside = row < num_rows
    wanted = inside & (tl.load(kept + row, mask=inside, other=0) != 0) if MASKED else inside
    live = wanted & (tl.load(status + row, mask=wanted, other=1) == 0)
    begin = tl.load(begins + row, mask=live, other=0)
    end = tl.load(ends + row, mask=live, other=0)
    whole = tl.load(cumulative + num_items) if WEIGHTED else num_items
    user_start = weight_before(weights_before, begin, live, WEIGHTED)
    left = whole - (weight_before(weights_before, end, live, WEIGHTED) - user_start)
    for i in range(num_more):
        place, _, counts = load_excluded(
            more, i, num_more, row, user_items, begin, end, live, STEPS
        )
        weight = weight_before(cumulative, place + 1, counts, WEIGHTED)
        left -= tl.where(counts, weight - weight_before(cumulative, place, counts, WEIGHTED), 0)
    tl.store(status + row, no_weight + first_draw, mask=live & (left <= 0))
    live &= left > 0

    number = row * num_negatives + first_draw + lane % draws
    high, low = words(counter, 0, number)
    word = (high.to(tl.uint64) << 32) | low.to(tl.uint64)
    integer = tl.umulhi(word, tl.where(live, left, 1).to(tl.uint64)).to(tl.int64)
    for i in range(num_more):
        place, index, counts = load_excluded(
            more, i, num_more, row, user_items, begin, end, live, STEPS
        )
        start = weight_before(cumulative, place, counts, WEIGHTED)
        weight = weight_before(cumulative, place + 1, counts, WEIGHTED) - start
        admissible = start - (weight_before(weights_before, index, live, WEIGHTED) - user_start)
        integer += tl.where(counts & (admissible <= integer), weight, 0)

    first, last = begin, end
    for _ in range(STEPS):
        middle = (first + last) >> 1
        active = first < last
        start = weight_before(
            cumulative,
            tl.load(user_items + middle, mask=active, other=0).to(tl.int64),
            active,
            WEIGHTED,
        )
        admissible = start - (weight_before(weights_before, middle, active, WEIGHTED) - user_start)
        over = active & (admissible <= integer)
        first = tl.where(over, middle + 1, first)
        last = tl.where(active & ~over, middle, last)
    place = integer + (weight_before(weights_before, first, live, WEIGHTED) - user_start)
    if WEIGHTED:
        nothing = lane * 0
        place = lower_bound(cumulative, place + 1, nothing, nothing + num_items + 1, ITEM_STEPS) - 1

    first_left = tl.where(live, left, 1)
    if first_draw == 0:
        tl.store(first_totals + row, left, mask=live)
    else:
        first_left = tl.load(first_totals + row, mask=live, other=1)
    weight = weight_before(cumulative, place + 1, live, WEIGHTED)
    weight -= weight_before(cumulative, place, live, WEIGHTED)
    weight = tl.where(live, weight, 1).to(tl.float64)
    log = tl.log(weight) - tl.log(first_left.to(tl.float64))
    tl.store(item_ids + number, tl.where(live, place, 0) + first_item, mask=wanted)
    tl.store(log_q + number, tl.where(live, log, float("nan")), mask=wanted)
