"""How long a part of each step takes, on a device that goes on by itself too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["Stopwatch"]


class Stopwatch:
    """Adds up the time of what runs in its context: the processor's, or that of a CUDA device.

    Parameters
    ----------
    device : torch.device
        Whose time counts. On CUDA it is that between two events on the current stream, and nothing
        waits before :meth:`read`.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._seconds = 0.0
        self._events: list[tuple[Any, Any]] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the time of the block count."""
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
        """Return the seconds since this was last read, and begin anew; waits for the device."""
        seconds, events = self._seconds, self._events
        self._seconds, self._events = 0.0, []
        for first, last in events:
            last.synchronize()
            seconds += first.elapsed_time(last) / 1e3
        return seconds


def _event() -> Any:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
