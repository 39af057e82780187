"""What a call asks for, looked at when it is needed, and what is said where it went wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from negsamp import validation
from negsamp_torch.rows import Rows, UserItems, gather

__all__ = ["Request", "error_of"]

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
    _versions: list[int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_versions", self._versions_now)

    @property
    def _versions_now(self) -> list[int]:
        """How often each tensor was written to, which PyTorch counts outside inference mode."""
        given = (self.targets, self.users, self.mask, self.exclude)
        return [each._version for each in given if each is not None and not each.is_inference()]

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

        Details are told as long as the caller has not written to its tensors since.

        `places` are the pre-selected candidates, if there are any.
        """
        number = int((status != 0).nonzero()[0, 0])
        if self._versions != self._versions_now:  # what the row asked for is there no longer
            raise error_of(int(status[number]), number, self.shape)
        rows = self.rows
        excluded = rows.excluded if places is None else rows.excluded.among(places)
        rows.check_enough(excluded, num_negatives, replacement, excluded.width)
        raise error_of(int(status[number]), number, self.shape)


def error_of(code: int, row: int, shape: tuple[int, ...]) -> Exception:
    """Word what a status other than 0 says of a row, from the status alone."""
    if code < 0:
        return validation.unknown_ids(row, shape)
    if code == INVALID_SCORE:
        return validation.invalid_score(row, shape)
    if code >= NO_WEIGHT:
        return validation.no_weight(row, shape, code - NO_WEIGHT)
    return validation.no_finite_score(row, shape, code - NO_FINITE_SCORE)
