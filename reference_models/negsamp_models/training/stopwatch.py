"""Time one part of each step, on asynchronous devices too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["Stopwatch"]


class Stopwatch:
    """Adds up the time of the code in its context, on the CPU or on a CUDA device.

    Parameters
    ----------
    device : torch.device
        The device to time. On CUDA, time is measured between two events on the current stream;
        only :meth:`read` waits for the device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._seconds = 0.0
        self._events: list[tuple[Any, Any]] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Time the block."""
        if self._device.type == "cuda":
            first, last = _event(), _event()
            first.record()
            yield
            last.record()
            self._events.append((first, last))
            return
        started = time.perf_counter()
        yield
        self._seconds += time.perf_counter() - started

    def read(self) -> float:
        """Return the seconds since the last call, and reset to 0; waits for the device."""
        seconds, events = self._seconds, self._events
        self._seconds, self._events = 0.0, []
        for first, last in events:
            last.synchronize()
            seconds += first.elapsed_time(last) / 1e3
        return seconds


def _event() -> Any:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
