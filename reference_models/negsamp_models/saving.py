"""When to save a run."""

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

    If epochs are so short that checkpoints would take more than a twentieth of the time, some are
    skipped, but never those requested by number of batches.

    Parameters
    ----------
    folder : CheckpointFolder
        Where to save.
    options : RunOptions
        How often to save.
    processes : Processes
        Rank 0 decides and writes.
    """

    def __init__(self, folder: CheckpointFolder, options: RunOptions, processes: Processes) -> None:
        self.folder = folder
        self._options = options
        self._writes = processes.rank == 0
        self._saved_at, self._cost = time.monotonic(), 0.0
        self._failed = False

    def due_after_batch(self, batch: int) -> bool:
        """Whether this process wants to save after this many batches of an epoch.

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
        """Whether this process wants to save after an epoch."""
        return self._writes and (
            self._options.checkpoint_batches is not None
            or self._elapsed() >= self._cost / LARGEST_SHARE
        )

    def save(self, checkpoint: Checkpoint, on_notice: Callable[[str], None]) -> bool:
        """Save, and return whether it succeeded.

        A full disk or a folder without write access does not end the run: it is reported once,
        earlier checkpoints are kept, and the next checkpoint is tried when it is due.
        """
        if not self._writes:
            return True
        started = time.monotonic()
        try:
            self.folder.save(checkpoint)
        except OSError as error:
            if not self._failed:
                on_notice(f"no checkpoint was written ({error}); what was saved before stays")
            self._failed = True
        else:
            if self._failed:
                on_notice("checkpoints are written again")
            self._failed = False
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - started
        return not self._failed

    def _elapsed(self) -> float:
        return time.monotonic() - self._saved_at
