"""Signals that ask a run to stop: it saves its state, and says how to continue."""

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
        Number of the signal.
    message : str
        How far the run has come, and whether that is saved.
    """

    def __init__(self, number: int, message: str) -> None:
        super().__init__(number, message)
        self.number, self.message = number, message

    def __str__(self) -> str:
        return self.message

    @property
    def exit_status(self) -> int:
        """The shell's exit status for a process ended by the signal: 128 + its number."""
        return 128 + self.number


def stop_with_parent() -> None:
    """Send this process SIGTERM when its parent process is gone, however it ended.

    Without this, a run would continue after its command was killed, and share the checkpoints with
    the next command.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_for, args=(parent.sentinel,), daemon=True).start()


def end_without_parent() -> None:
    """End this process at once if its parent process is gone.

    An idle worker would otherwise wait for work for ever, and keep its memory.
    """
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        os._exit(1)


def _wait_for(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


class StopSignals:
    """A context that records SIGINT and SIGTERM; a second SIGINT acts as usual.

    A second SIGTERM counts as the same request: schedulers signal all processes of a job, and
    torchrun, one of them, passes the signal on. Under torchrun this holds for SIGINT too.

    Attributes
    ----------
    received : int
        Number of the last signal received, 0 if none.
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
