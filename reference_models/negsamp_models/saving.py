"""When a run is saved."""

from __future__ import annotations

import time
from collections.abc import Callable

from negsamp_models.checkpoint import Checkpoint, CheckpointFolder
from negsamp_models.distributed import Processes
from negsamp_models.settings import RunOptions

__all__ = ["Saver"]

LARGEST_SHARE = 0.05
"""Of the time, for the checkpoints that nobody asked for in so many words."""


class Saver:
    """Saves a run after each epoch, and within an epoch every so many batches or seconds.

    Where epochs are so short that checkpoints would take more than a twentieth of the time, some
    are left out; those by batches never are.

    Parameters
    ----------
    folder : CheckpointFolder
        Where to.
    options : RunOptions
        How often.
    processes : Processes
        Rank 0 decides and writes.
    """

    def __init__(self, folder: CheckpointFolder, options: RunOptions, processes: Processes) -> None:
        self.folder = folder
        self._options = options
        self._writes = processes.rank == 0
        self._saved_at, self._cost = time.monotonic(), 0.0

    def due_after_batch(self, batch: int) -> bool:
        """Whether to save when so many batches of an epoch are done, in the view of this process.

        Parameters
        ----------
        batch : int
            Counted from 1.
        """
        every = self._options.checkpoint_batches
        if every is not None and batch % every == 0:
            return True
        return self._writes and self._elapsed() >= max(
            self._options.checkpoint_seconds, self._cost / LARGEST_SHARE
        )

    def due_after_epoch(self) -> bool:
        """Whether to save when an epoch is done, in the view of this process."""
        return self._writes and (
            self._options.checkpoint_batches is not None
            or self._elapsed() >= self._cost / LARGEST_SHARE
        )

    def save(self, checkpoint: Checkpoint, on_notice: Callable[[str], None]) -> bool:
        """Save, and return whether it is done.

        A disk that is full, or a folder that cannot be written to, does not end the run: it is
        told of, what was saved before stays, and the next checkpoint is tried in its turn.
        """
        if not self._writes:
            return True
        started = time.monotonic()
        try:
            self.folder.save(checkpoint)
        except OSError as error:
            on_notice(f"no checkpoint was written ({error}); what was saved before stays")
            return False
        finally:
            self._saved_at = time.monotonic()
            self._cost = self._saved_at - started
        return True

    def _elapsed(self) -> float:
        return time.monotonic() - self._saved_at
