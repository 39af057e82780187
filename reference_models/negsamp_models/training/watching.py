"""Notifications about the progress of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from negsamp_models.records import EpochRecord

__all__ = ["Silent", "Together", "Watcher"]


class Watcher(Protocol):
    """Receives notifications about the progress of a run."""

    def on_start(self, records: Sequence[EpochRecord]) -> None:
        """Handle the start or resumption of a run; `records` are the finished epochs."""
        ...

    def on_batch(self, epoch: int, batch: int, num_batches: int, loss: float) -> None:
        """Handle the end of a batch."""
        ...

    def on_epoch(self, record: EpochRecord, best_epoch: int) -> None:
        """Handle the end of an epoch."""
        ...

    def on_notice(self, message: str) -> None:
        """Handle a message to the user that needs no immediate action."""
        ...


class Silent:
    """A watcher that does nothing."""

    def on_start(self, records: Sequence[EpochRecord]) -> None:
        """Do nothing."""

    def on_batch(self, epoch: int, batch: int, num_batches: int, loss: float) -> None:
        """Do nothing."""

    def on_epoch(self, record: EpochRecord, best_epoch: int) -> None:
        """Do nothing."""

    def on_notice(self, message: str) -> None:
        """Do nothing."""


class Together:
    """Passes notifications on to several watchers."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    def on_start(self, records: Sequence[EpochRecord]) -> None:
        """Pass the finished epochs on."""
        for watcher in self._watchers:
            watcher.on_start(records)

    def on_batch(self, epoch: int, batch: int, num_batches: int, loss: float) -> None:
        """Pass the batch on."""
        for watcher in self._watchers:
            watcher.on_batch(epoch, batch, num_batches, loss)

    def on_epoch(self, record: EpochRecord, best_epoch: int) -> None:
        """Pass the epoch on."""
        for watcher in self._watchers:
            watcher.on_epoch(record, best_epoch)

    def on_notice(self, message: str) -> None:
        """Pass the message on."""
        for watcher in self._watchers:
            watcher.on_notice(message)
