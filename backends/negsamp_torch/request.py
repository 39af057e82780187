"""What a call asks for, looked at when it is needed, and what is said where it went wrong."""

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
