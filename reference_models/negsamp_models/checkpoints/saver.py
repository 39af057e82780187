"""When to save checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable

from negsamp_models.checkpoints.checkpoint import Checkpoint, CheckpointFolder
from negsamp_models.processes import Processes
from negsamp_models.settings import RunOptions

__all__ = ["Saver"]

MAX_SAVING_SHARE = 0.05
"""Largest share of the time spent on saving, except for checkpoints requested by batches."""


class Saver:
    """Saves checkpoints after each epoch, and within it every given number of batches or seconds.

    If epochs are so short that saving would take more than 5 % of the time, some checkpoints are
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
        """Whether a checkpoint is due after this many batches of an epoch, as this process sees it.

        Parameters
        ----------
        batch : int
            Counted from 1.
        """
        every = self._options.checkpoint_batches
        if every is not None and batch % every == 0:
            return True
        return self._writes and self._elapsed() >= max(
            self._options.checkpoint_seconds, self._cost / MAX_SAVING_SHARE
        )

    def due_after_epoch(self) -> bool:
        """Whether a checkpoint is due after an epoch, as this process sees it."""
        return self._writes and (
            self._options.checkpoint_batches is not None
            or self._elapsed() >= self._cost / MAX_SAVING_SHARE
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
                on_notice(f"cannot write a checkpoint ({error}); earlier ones are kept")
            self._failed = True
        else:
            if self._failed:
                on_notice("checkpoints can be written again")
            self._failed = False
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - started
        return not self._failed

    def _elapsed(self) -> float:
        return time.monotonic() - self._saved_at
