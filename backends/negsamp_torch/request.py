"""The rows of a call as kernels take them: prepared on the device, nothing waited for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from negsamp import validation
from negsamp_torch.rows import Rows, UserItems, gather

__all__ = ["Request"]

INVALID_SCORE = 1
NO_FINITE_SCORE = 2
"""And more where that many negatives had been drawn before."""
NO_WEIGHT = 1 << 16
"""Likewise."""


@dataclass(frozen=True)
class Request:
    """What `sample` was asked for.

    Attributes
    ----------
    items : range
        The catalogue.
    user_items : UserItems or None
        Interactions, as places in the catalogue.
    targets, users, mask, exclude : Tensor or None
        As the caller gave them.
    """

    items: range
    user_items: UserItems | None
    targets: Tensor
    users: Tensor | None
    mask: Tensor | None
    exclude: Tensor | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the targets."""
        return tuple(self.targets.shape)

    @property
    def device(self) -> torch.device:
        """Where everything is."""
        return self.targets.device

    @cached_property
    def rows(self) -> Rows:
        """The same, checked and gathered for the eager kernels; this waits for the device."""
        return gather(
            self.items, self.user_items, self.targets, self.users, self.mask, self.exclude
        )

    @cached_property
    def kept(self) -> Tensor:
        """Whether each row is sampled: bool (targets.numel(),)."""
        if self.mask is None:
            return torch.ones(self.targets.numel(), dtype=torch.bool, device=self.device)
        return self.mask.reshape(-1)

    @cached_property
    def numbers(self) -> tuple[Tensor, Tensor]:
        """The numbers of the sampled rows, first in an array for all rows, and their count."""
        size = self.targets.numel()
        every = torch.arange(size, device=self.device)
        if self.mask is None:
            return every, torch.full((1,), size, device=self.device)
        running = self.kept.cumsum(0)
        place = torch.where(self.kept, running - 1, size)
        numbers = torch.zeros(size + 1, dtype=torch.int64, device=self.device)
        return numbers.scatter_(0, place, every)[:size], running[-1:]

    @cached_property
    def more(self) -> Tensor:
        """Target and `exclude` of each row as places, ascending; -1 for none: (rows, E + 1)."""
        ids = self.targets.reshape(-1, 1).long()
        if self.exclude is not None:
            others = self.exclude.reshape(len(ids), self.exclude.shape[-1]).long()
            ids = torch.cat([ids, others], 1).sort(1).values
        return torch.where(self._outside(ids), -1, ids - self.items.start).contiguous()

    @cached_property
    def bounds(self) -> tuple[Tensor, Tensor, Tensor]:
        """Items of all users as places, and where those of each row begin and end."""
        if self.user_items is None or self.users is None:
            nothing = torch.zeros(self.targets.numel(), dtype=torch.int64, device=self.device)
            return nothing.new_zeros(1), nothing, nothing
        user = torch.where(self._unknown_users, 0, self._user_of_row)
        begin = self.user_items.offsets[user]
        end = torch.where(self._unknown_users, begin, self.user_items.offsets[user + 1])
        return self.user_items.places, begin, end

    @property
    def longest(self) -> int:
        """The most items that any user has interacted with."""
        return 0 if self.user_items is None else self.user_items.longest

    def new_status(self) -> Tensor:
        """Return int32 (rows,): 0, or -1 where an id or a user is unknown."""
        wrong = self._outside(self.targets.reshape(-1).long())
        if self.exclude is not None:
            others = self.exclude.reshape(len(wrong), self.exclude.shape[-1]).long()
            wrong = wrong | (self._outside(others) & (others != -1)).any(1)
        if self.user_items is not None and self.users is not None:
            wrong = wrong | self._unknown_users
        return -(wrong & self.kept).int()

    def complain(
        self,
        status: Tensor,
        num_negatives: int,
        replacement: bool,
        places: Tensor | None = None,
    ) -> None:
        """Raise for the first row of which the kernels have written down that it is wrong.

        `places` are the pre-selected candidates, if there are any.
        """
        rows = self.rows
        excluded = rows.excluded if places is None else rows.excluded.among(places)
        rows.check_enough(excluded, num_negatives, replacement, excluded.width)
        codes = status[rows.numbers]
        row, number = rows.number_of_first(codes != 0)
        code = int(codes[row])
        if code == INVALID_SCORE:
            raise validation.invalid_score(number, self.shape)
        if code >= NO_WEIGHT:
            raise validation.no_weight(number, self.shape, code - NO_WEIGHT)
        raise validation.no_finite_score(number, self.shape, code - NO_FINITE_SCORE)

    @cached_property
    def _user_of_row(self) -> Tensor:
        users = self.users if self.users is not None else self.targets
        trailing = (1,) * (self.targets.ndim - users.ndim)
        return users.reshape((*users.shape, *trailing)).expand(self.shape).reshape(-1).long()

    @cached_property
    def _unknown_users(self) -> Tensor:
        num_users = 0 if self.user_items is None else self.user_items.num_users
        return (self._user_of_row < 0) | (self._user_of_row >= num_users)

    def _outside(self, ids: Tensor) -> Tensor:
        return (ids < self.items.start) | (ids >= self.items.stop)
