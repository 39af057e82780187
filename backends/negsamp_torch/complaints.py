"""What kernels have found wrong with a call: raised as soon as that is known without waiting."""

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

__all__ = ["Complaints", "Deferred", "Immediate", "OnDevice"]

MOST_CALLS, MOST_ROWS = 64, 1 << 20
"""Calls, and rows of all of them, that may be unsettled: each holds its targets, so that beyond
this the host waits for the oldest; for the newest it never does."""

Complain = Callable[[], None]


class Complaints(Protocol):
    """Where calls say what became of their rows."""

    def file(self, request: Request, status: Tensor, complain: Complain) -> None:
        """Take the status of the rows of a call, and what raises if one of them is not 0."""
        ...

    def settle(self, wait: bool) -> None:
        """Raise the first complaint; of calls that the device is at, only if told to wait."""
        ...


class Immediate:
    """Raises in the call itself, which so waits for its draws."""

    def file(self, request: Request, status: Tensor, complain: Complain) -> None:
        """Raise if a row went wrong."""
        if bool((status != 0).any()):
            complain()

    def settle(self, wait: bool) -> None:
        """Do nothing: what was filed is settled."""


@dataclass(frozen=True)
class _Filed:
    wrong: Tensor
    arrived: Any
    rows: int
    complain: Complain


class Deferred:
    """Copies one flag a call to the host, behind the draws, and reads it when it has arrived."""

    def __init__(self) -> None:
        self._filed: deque[_Filed] = deque()

    def file(self, request: Request, status: Tensor, complain: Complain) -> None:
        """Have the flag copied; hold the call's arrays until it is read."""
        wrong, arrived = (status != 0).any(), None
        if wrong.is_cuda:
            with torch.cuda.device(wrong.device):
                there = torch.empty((), dtype=torch.bool, device="cpu", pin_memory=True)
                wrong = there.copy_(wrong, non_blocking=True)
                arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
                arrived.record()
        self._filed.append(_Filed(wrong, arrived, len(status), complain))

    def settle(self, wait: bool) -> None:
        """Raise the first complaint that is known, and forget the others.

        While a graph is captured no event may be asked: what was filed then waits for a later call.
        """
        while self._filed:
            first = self._filed[0]
            if first.arrived is not None and is_capturing():
                return
            if first.arrived is not None and not first.arrived.query():
                if not (wait or self._holds_too_much):
                    return
                first.arrived.synchronize()
            self._filed.popleft()
            if bool(first.wrong):
                self._filed.clear()
                try:
                    first.complain()
                except NegSampError as error:
                    error.add_note(
                        'This is about an earlier call of sample(); with validate="now" a call '
                        "waits for the device and raises itself."
                    )
                    raise

    @property
    def _holds_too_much(self) -> bool:
        """Whether to wait for the oldest call, unless it is the newest too."""
        calls, rows = len(self._filed), sum(each.rows for each in self._filed)
        return calls > 1 and (calls > MOST_CALLS or rows > MOST_ROWS)


class OnDevice:
    """Keeps the first row that went wrong in a tensor, which captured graphs write to.

    Attributes
    ----------
    first : int64, shape (4,)
        Code of the row, 0 for none; its number; the number of its call; which of `shapes`.
    shapes : list of tuple
        Shapes that targets had.
    """

    def __init__(self, call: Tensor) -> None:
        self.first = torch.zeros(4, dtype=torch.int64, device=call.device)
        self.shapes: list[tuple[int, ...]] = []
        self._call = call

    def file(self, request: Request, status: Tensor, complain: Complain) -> None:
        """Note the first row that went wrong, unless one was noted before."""
        if len(status) == 0:
            return
        row = (status != 0).long().argmax(0, keepdim=True)
        if request.shape not in self.shapes:
            self.shapes.append(request.shape)
        shape = torch.full_like(row, self.shapes.index(request.shape))
        found = torch.cat([status[row].long(), row, self._call.reshape(1), shape])
        self.first.copy_(torch.where((self.first[:1] == 0) & (found[:1] != 0), found, self.first))

    def settle(self, wait: bool) -> None:
        """Raise what was noted; reading it waits for the device."""
        if not wait:
            return
        code, row, call, shape = self.first.tolist()
        self.first.zero_()
        if code != 0:
            error = error_of(code, row, self.shapes[shape])
            error.add_note(f"In call {call} of the sampler, counted from 0.")
            raise error
