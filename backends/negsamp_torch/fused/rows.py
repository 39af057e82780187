"""The rows of a call as kernels read them: prepared on the device, without synchronisation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from negsamp_torch.fused.kernels.rows import prepare_rows
from negsamp_torch.request import Request

__all__ = ["DeviceRows"]

LANES = 256
"""Rows per program."""


@dataclass(frozen=True)
class DeviceRows:
    """Exclusions of rows as two lists each, which kernels search without merging them.

    Attributes
    ----------
    kept : bool, shape (rows,), or None
        The rows to sample; None for all.
    more : int64, shape (rows, 1 + E)
        Target and `exclude` of each row as places, ascending; -1 for none.
    user_items : int32 or int64, shape (num_interactions,)
        The items of all users as places.
    begins, ends : int64, shape (rows,)
        The items of row r's user are ``user_items[begins[r]:ends[r]]``.
    status : int32, shape (rows,)
        0, or -1 for an invalid id or user; kernels that draw replace 0 by the codes of a `Request`.
    longest : int
        Largest number of items of a user.
    """

    kept: Tensor | None
    more: Tensor
    user_items: Tensor
    begins: Tensor
    ends: Tensor
    status: Tensor
    longest: int

    @classmethod
    def of(cls, request: Request) -> DeviceRows:
        """Launch the kernel that checks ids and users and gathers exclusions."""
        targets = request.targets.reshape(-1).contiguous()
        size, device, of_users = len(targets), targets.device, request.user_items
        kept = None if request.mask is None else request.mask.reshape(-1).contiguous()
        exclude = None if request.exclude is None else request.exclude.contiguous()
        num_more = 1 if exclude is None else 1 + exclude.shape[-1]
        more = torch.empty((size, num_more), dtype=torch.int64, device=device)
        begins, ends = (torch.empty(size, dtype=torch.int64, device=device) for _ in range(2))
        status = torch.empty(size, dtype=torch.int32, device=device)
        users, offsets, user_items = targets, targets, more.reshape(-1)[:1]
        if of_users is not None and request.users is not None:
            users, offsets = request.users.reshape(-1).contiguous(), of_users.offsets
            user_items = of_users.places
        if size:
            prepare_rows[(triton.cdiv(size, LANES),)](
                more,
                begins,
                ends,
                status,
                targets,
                targets if exclude is None else exclude,
                users,
                offsets,
                targets if kept is None else kept,
                size,
                num_more,
                size // max(len(users), 1),
                0 if of_users is None else of_users.num_users,
                request.items.start,
                len(request.items),
                LANES=LANES,
                MASKED=kept is not None,
                SIGNED=exclude is None or exclude.dtype.is_signed,
                OF_USERS=of_users is not None,
            )
        if num_more > 1:
            more = more.sort(1).values
        longest = 0 if of_users is None else of_users.longest
        return cls(kept, more, user_items, begins, ends, status, longest)

    def __len__(self) -> int:
        return len(self.status)

    def numbers(self) -> tuple[Tensor, Tensor]:
        """Return the numbers of the sampled rows, padded with 0, and their count, (1,).

        The count may be the last element of a tensor, so kernels must not be compiled for its
        alignment, which would change with the number of rows.
        """
        every = torch.arange(len(self), device=self.status.device)
        if self.kept is None:
            return every, torch.full((1,), len(self), device=every.device)
        running = self.kept.cumsum(0)
        place = torch.where(self.kept, running - 1, len(self))
        numbers = torch.zeros(len(self) + 1, dtype=torch.int64, device=every.device)
        return numbers.scatter_(0, place, every)[:-1], running[-1:]
