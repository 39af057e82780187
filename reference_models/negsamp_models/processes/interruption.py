"""Signal handlers that let a run stop after a checkpoint, and end with its parent process."""

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
    """A signal stopped a run.

    Parameters
    ----------
    number : int
        Number of the signal.
    message : str
        Where the run stopped, and whether it is saved.
    """

    def __init__(self, number: int, message: str) -> None:
        super().__init__(number, message)
        self.number, self.message = number, message

    @classmethod
    def at(cls, number: int, where: str, saved: bool) -> RunStoppedError:
        """Return the error of a run that stopped somewhere, such as "after epoch 1 of 40"."""
        return cls(number, f"stopped {where}; the run {'is' if saved else 'could not be'} saved")

    def __str__(self) -> str:
        return self.message

    @property
    def exit_status(self) -> int:
        """The shell's exit status for a process ended by the signal: 128 + its number."""
        return 128 + self.number


def stop_with_parent() -> None:
    """Send SIGTERM to this process when its parent process has ended, for whatever reason.

    Otherwise a run would continue after its command was killed, and write to the same checkpoints
    as the next command.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_for, args=(parent.sentinel,), daemon=True).start()


def end_without_parent() -> None:
    """End this process at once if its parent process has ended.

    Otherwise an idle worker would wait for work forever, and keep its memory.
    """
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        os._exit(1)


def _wait_for(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


class StopSignals:
    """A context that records SIGINT and SIGTERM; a second SIGINT has its usual effect.

    A second SIGTERM is ignored: schedulers signal all processes of a job, and torchrun, one of
    them, forwards the signal to the others. Under torchrun a second SIGINT is ignored too.

    Attributes
    ----------
    received : int
        Number of the last signal received, 0 if none.
    """

    def __init__(self) -> None:
        self.received = 0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._record) for number in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _record(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        if number == signal.SIGINT and "TORCHELASTIC_RUN_ID" not in os.environ:
            signal.signal(number, self._previous[number])
