"""The arguments of a call, and the errors of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from negsamp import row_errors
from negsamp.errors import NegSampError
from negsamp_torch.rows import Rows, UserItems, gather

__all__ = ["Request", "error_of", "in_compiled_graph"]

INVALID_SCORE = 1
"""Status of a row with a score that is NaN or +inf. 0 is no error, -1 an invalid id or user."""
NO_FINITE_SCORE = 2
"""Status of a row without an item left to draw, plus the number of negatives drawn before."""
NO_WEIGHT = 1 << 30
"""The same for draws by weight; so large that no number of negatives makes the codes overlap."""

_in_compiled_graph = ContextVar("_in_compiled_graph", default=False)


@contextmanager
def in_compiled_graph() -> Iterator[None]:
    """Mark requests made inside as a compiled graph's, whose writes change no tensor version."""
    token = _in_compiled_graph.set(True)
    try:
        yield
    finally:
        _in_compiled_graph.reset(token)


@dataclass(frozen=True)
class Request:
    """The arguments of a call of `sample`.

    Attributes
    ----------
    items : range
        The catalogue.
    user_items : UserItems or None
        Interactions, as places in the catalogue.
    targets, users, mask, exclude : Tensor or None
        As passed by the caller.
    """

    items: range
    user_items: UserItems | None
    targets: Tensor
    users: Tensor | None
    mask: Tensor | None
    exclude: Tensor | None
    _versions: list[int] | None = field(init=False)

    def __post_init__(self) -> None:
        versions = None if _in_compiled_graph.get() else self._versions_now
        object.__setattr__(self, "_versions", versions)

    @property
    def _versions_now(self) -> list[int] | None:
        """Version counter of each tensor; None in inference mode, which has none."""
        given = (self.targets, self.users, self.mask, self.exclude)
        tensors = [each for each in given if each is not None]
        if any(each.is_inference() for each in tensors):
            return None
        return [each._version for each in tensors]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the targets."""
        return tuple(self.targets.shape)

    @property
    def device(self) -> torch.device:
        """Device of all tensors."""
        return self.targets.device

    @cached_property
    def rows(self) -> Rows:
        """The rows, checked and gathered for the eager kernels; this waits for the device."""
        return gather(
            self.items, self.user_items, self.targets, self.users, self.mask, self.exclude
        )

    def raise_error(
        self,
        status: Tensor,
        num_negatives: int,
        replacement: bool,
        candidates_of: Callable[[Rows], Tensor] | None = None,
    ) -> None:
        """Raise the error of the first row whose status is not 0.

        The row is checked again for a detailed message, which is used if it is the same kind of
        error and the version counters show no write to the caller's tensors since.

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
        """Raise the error of one row, except those of its scores."""
        alone = torch.zeros(self.targets.numel(), dtype=torch.bool, device=self.device)
        alone[number] = True
        mask = alone.view(self.shape)
        row = gather(self.items, self.user_items, self.targets, self.users, mask, self.exclude)
        excluded = row.excluded
        if candidates_of is not None:
            excluded = excluded.among(candidates_of(row))
        row.check_enough(excluded, num_negatives, replacement, excluded.width)


def error_of(code: int, row: int, shape: tuple[int, ...]) -> Exception:
    """Return the error for a row with a status other than 0."""
    if code < 0:
        return row_errors.unknown_ids(row, shape)
    if code == INVALID_SCORE:
        return row_errors.invalid_score(row, shape)
    if code >= NO_WEIGHT:
        return row_errors.no_weight(row, shape, code - NO_WEIGHT)
    return row_errors.no_finite_score(row, shape, code - NO_FINITE_SCORE)
