"""A watcher that stops a run, as a signal does."""

from __future__ import annotations

import signal

from negsamp_models.training import Trainer
from negsamp_models.training.watching import Silent


class StopAfter(Silent):
    """Asks its trainer to stop when so many batches are done, of this process."""

    def __init__(self, trainer: Trainer, num_batches: int) -> None:
        self.trainer, self.left = trainer, num_batches

    def on_batch(self, epoch: int, batch: int, num_batches: int, loss: float) -> None:
        self.left -= 1
        if self.left == 0:
            self.trainer.stop.received = signal.SIGTERM
