"""What a call asks for, looked at when it is needed, and what is said where it went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from negsamp import validation
from negsamp.errors import NegSampError
from negsamp_torch.rows import Rows, UserItems, gather

__all__ = ["Request", "error_of", "of_a_graph"]

INVALID_SCORE = 1
NO_FINITE_SCORE = 2
"""And more where that many negatives had been drawn before."""
NO_WEIGHT = 1 << 16
"""Likewise."""

_is_of_a_graph = ContextVar("_is_of_a_graph", default=False)


@contextmanager
def of_a_graph() -> Iterator[None]:
    """Take what is asked for inside from a compiled graph, which uses memory again unseen."""
    token = _is_of_a_graph.set(True)
    try:
        yield
    finally:
        _is_of_a_graph.reset(token)


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
    _versions: list[int] | None = field(init=False)

    def __post_init__(self) -> None:
        versions = None if _is_of_a_graph.get() else self._versions_now
        object.__setattr__(self, "_versions", versions)

    @property
    def _versions_now(self) -> list[int] | None:
        """How often each tensor was written to; None in inference mode, where nobody counts."""
        given = (self.targets, self.users, self.mask, self.exclude)
        there = [each for each in given if each is not None]
        if any(each.is_inference() for each in there):
            return None
        return [each._version for each in there]

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
        candidates_of: Callable[[Rows], Tensor] | None = None,
    ) -> None:
        """Raise for the first row of which the kernels have written down that it is wrong.

        The status says what is wrong. Details are told if the row has the same wrong now, and the
        caller is not known to have written to its tensors since.

        `candidates_of` pre-selects the candidates of rows, if there are any.
        """
        number = int((status != 0).nonzero()[0, 0])
        error = error_of(int(status[number]), number, self.shape)
        if self._versions is not None and self._versions == self._versions_now:
            try:
                self._check(number, num_negatives, replacement, candidates_of)
            except NegSampError as detailed:
                error = detailed if type(detailed) is type(error) else error
        raise error

    def _check(
        self,
        number: int,
        num_negatives: int,
        replacement: bool,
        candidates_of: Callable[[Rows], Tensor] | None,
    ) -> None:
        """Raise what is wrong with one row, its scores left out."""
        alone = torch.zeros(self.targets.numel(), dtype=torch.bool, device=self.device)
        alone[number] = True
        mask = alone.view(self.shape)
        row = gather(self.items, self.user_items, self.targets, self.users, mask, self.exclude)
        excluded = row.excluded
        if candidates_of is not None:
            excluded = excluded.among(candidates_of(row))
        row.check_enough(excluded, num_negatives, replacement, excluded.width)


def error_of(code: int, row: int, shape: tuple[int, ...]) -> Exception:
    """Word what a status other than 0 says of a row, from the status alone."""
    if code < 0:
        return validation.unknown_ids(row, shape)
    if code == INVALID_SCORE:
        return validation.invalid_score(row, shape)
    if code >= NO_WEIGHT:
        return validation.no_weight(row, shape, code - NO_WEIGHT)
    return validation.no_finite_score(row, shape, code - NO_FINITE_SCORE)
