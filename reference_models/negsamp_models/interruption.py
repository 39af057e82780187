"""Signals that ask a run to stop: it saves where it is, and says how to go on."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from negsamp import NegSampError

__all__ = ["RunStoppedError", "StopSignals", "end_without_parent", "stop_with_parent"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class RunStoppedError(NegSampError):
    """A run was asked to stop.

    Parameters
    ----------
    number : int
        Of the signal.
    message : str
        Where the run stands, and whether that is saved.
    """

    def __init__(self, number: int, message: str) -> None:
        super().__init__(number, message)
        self.number, self.message = number, message

    def __str__(self) -> str:
        return self.message

    @property
    def exit_status(self) -> int:
        """What shells report of a process that a signal ended: 128 + its number."""
        return 128 + self.number


def stop_with_parent() -> None:
    """Send this process SIGTERM when the process that started it is no more, however it ended.

    Without this, a run would go on alone after its command was killed, and meet the next command at
    the same checkpoints.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_for, args=(parent.sentinel,), daemon=True).start()


def end_without_parent() -> None:
    """End this process at once if the process that started it is no more.

    A worker that has stopped waits for more to do, and would wait, memory and all, for ever.
    """
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        os._exit(1)


def _wait_for(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


class StopSignals:
    """Notes SIGINT and SIGTERM while it is entered; a second SIGINT does what it always did.

    A second SIGTERM is the same wish: schedulers signal all processes of a job, and torchrun, which
    is one of them, sends on what it gets. Under torchrun that holds for SIGINT too.

    Attributes
    ----------
    received : int
        Number of the last signal that came, 0 if none did.
    """

    def __init__(self) -> None:
        self.received = 0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        if number == signal.SIGINT and "TORCHELASTIC_RUN_ID" not in os.environ:
            signal.signal(number, self._previous[number])
