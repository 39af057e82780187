"""Preparation of the rows of a call: checks of ids and users, and what each row excludes."""

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["prepare_rows"]


@triton.jit(do_not_specialize=["num_rows", "rows_per_user", "num_users", "first_item", "num_items"])
def prepare_rows(
    more,
    begins,
    ends,
    status,
    targets,
    exclude,
    users,
    offsets,
    kept,
    num_rows,
    num_more,
    rows_per_user,
    num_users,
    first_item,
    num_items,
    LANES: tl.constexpr,
    MASKED: tl.constexpr,
    SIGNED: tl.constexpr,
    OF_USERS: tl.constexpr,
):
    """Write target and exclusions of each row as places, -1 for none, and the range of its user.

    The status becomes -1 if an id or the user is invalid, else 0. If `exclude` is not SIGNED, none
    of its ids stands for none, not even the largest uint64, which is -1 here.
    """
    row = tl.program_id(0).to(tl.int64) * LANES + tl.arange(0, LANES)
    inside = row < num_rows
    wanted = inside & (tl.load(kept + row, mask=inside, other=0) != 0) if MASKED else inside
    place = tl.load(targets + row, mask=inside, other=0).to(tl.int64) - first_item
    wrong = (place < 0) | (place >= num_items)
    tl.store(more + row * num_more, tl.where(wrong, -1, place), mask=inside)
    for i in range(num_more - 1):
        item = tl.load(exclude + row * (num_more - 1) + i, mask=inside, other=-1).to(tl.int64)
        place = item - first_item
        outside = (place < 0) | (place >= num_items)
        wrong |= outside & (item != -1) if SIGNED else outside
        tl.store(more + row * num_more + 1 + i, tl.where(outside, -1, place), mask=inside)
    if OF_USERS:
        user = tl.load(users + row // rows_per_user, mask=inside, other=0).to(tl.int64)
        unknown = (user < 0) | (user >= num_users)
        wrong |= unknown
        known = inside & ~unknown
        tl.store(begins + row, tl.load(offsets + user, mask=known, other=0), mask=inside)
        tl.store(ends + row, tl.load(offsets + user + 1, mask=known, other=0), mask=inside)
    else:
        tl.store(begins + row, row * 0, mask=inside)
        tl.store(ends + row, row * 0, mask=inside)
    tl.store(status + row, -(wrong & wanted).to(tl.int32), mask=inside)
