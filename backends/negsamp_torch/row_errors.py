"""Errors that kernels find in rows: raised at once, deferred, or kept on the device.

Kernels write a status per row, and the host cannot read it without waiting for the device. Deferred
errors are raised by the next call that finds the status of an earlier one already copied.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from negsamp.errors import NegSampError
from negsamp_torch.capture import is_capturing
from negsamp_torch.request import Request, error_of

__all__ = ["Deferred", "Immediate", "OnDevice", "RaiseError", "RowErrors"]

MAX_CALLS, MAX_ROWS = 64, 1 << 20
"""Calls, and rows of all of them, that may be pending. They bound memory, since a pending call
keeps its arguments: beyond them the host waits for the oldest call, but never for the newest."""

RaiseError = Callable[[], None]
"""Raises the error of the first row of a call whose status is not 0."""


class RowErrors(Protocol):
    """Collects the errors of calls."""

    def record(self, request: Request, status: Tensor, raise_error: RaiseError) -> None:
        """Take the status of the rows of a call, and what to call if one of them is not 0."""
        ...

    def check(self, wait: bool) -> None:
        """Raise the first error that is known; with `wait`, wait for those of all calls."""
        ...


class Immediate:
    """Raises in the call itself, which therefore waits for the device."""

    def record(self, request: Request, status: Tensor, raise_error: RaiseError) -> None:
        """Raise if a row has an error."""
        if bool((status != 0).any()):
            raise_error()

    def check(self, wait: bool) -> None:
        """Do nothing: no error is pending."""


@dataclass(frozen=True)
class _Pending:
    """A call whose flag, whether any row has an error, may still be on its way to the host."""

    flag: Tensor
    copied: Any
    rows: int
    raise_error: RaiseError


class Deferred:
    """Copies one flag per call to pinned memory, asynchronously, and reads it once it is copied."""

    def __init__(self) -> None:
        self._pending: deque[_Pending] = deque()

    def record(self, request: Request, status: Tensor, raise_error: RaiseError) -> None:
        """Start the copy of the flag; `raise_error` keeps the call's tensors until it is read."""
        flag, copied = (status != 0).any(), None
        if flag.is_cuda:
            with torch.cuda.device(flag.device):
                pinned = torch.empty((), dtype=torch.bool, device="cpu", pin_memory=True)
                flag = pinned.copy_(flag, non_blocking=True)
                copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
                copied.record()
        self._pending.append(_Pending(flag, copied, len(status), raise_error))

    def check(self, wait: bool) -> None:
        """Raise the first error that is known, and drop all later ones.

        During graph capture no event may be queried: pending calls then stay pending.
        """
        while self._pending:
            first = self._pending[0]
            if first.copied is not None and is_capturing():
                return
            if first.copied is not None and not first.copied.query():
                if not (wait or self._is_full):
                    return
                first.copied.synchronize()
            self._pending.popleft()
            if bool(first.flag):
                self._pending.clear()
                try:
                    first.raise_error()
                except NegSampError as error:
                    error.add_note(
                        'This is the error of an earlier call of sample(); with validate="now" '
                        "each call waits for the device and raises its own."
                    )
                    raise

    @property
    def _is_full(self) -> bool:
        """Whether to wait for the oldest call, unless it is the only one."""
        calls, rows = len(self._pending), sum(each.rows for each in self._pending)
        return calls > 1 and (calls > MAX_CALLS or rows > MAX_ROWS)


class OnDevice:
    """Keeps the first row with an error in a device tensor, which captured graphs can write.

    Attributes
    ----------
    first : int64, shape (4,)
        Status of the row, 0 for none; its number; the number of its call; an index into `shapes`.
    shapes : list of tuple
        Shapes of the targets of all calls, distinct.
    """

    def __init__(self, call: Tensor) -> None:
        self.first = torch.zeros(4, dtype=torch.int64, device=call.device)
        self.shapes: list[tuple[int, ...]] = []
        self._call = call

    def record(self, request: Request, status: Tensor, raise_error: RaiseError) -> None:
        """Store the first row with an error, unless one is stored already."""
        if len(status) == 0:
            return
        row = (status != 0).long().argmax(0, keepdim=True)
        if request.shape not in self.shapes:
            self.shapes.append(request.shape)
        shape = torch.full_like(row, self.shapes.index(request.shape))
        found = torch.cat([status[row].long(), row, self._call.reshape(1), shape])
        self.first.copy_(torch.where((self.first[:1] == 0) & (found[:1] != 0), found, self.first))

    def check(self, wait: bool) -> None:
        """With `wait`, raise the stored error; reading it waits for the device."""
        if not wait:
            return
        code, row, call, shape = self.first.tolist()
        self.first.zero_()
        if code != 0:
            error = error_of(code, row, self.shapes[shape])
            error.add_note(f"In call {call} of the sampler, counted from 0.")
            raise error
