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
        """Handle something that a person should know, but need not act on at once."""
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
    """Several watchers as one."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    def on_start(self, records: Sequence[EpochRecord]) -> None:
        """Notify each of the finished epochs."""
        for watcher in self._watchers:
            watcher.on_start(records)

    def on_batch(self, epoch: int, batch: int, num_batches: int, loss: float) -> None:
        """Notify each of a batch."""
        for watcher in self._watchers:
            watcher.on_batch(epoch, batch, num_batches, loss)

    def on_epoch(self, record: EpochRecord, best_epoch: int) -> None:
        """Notify each of an epoch."""
        for watcher in self._watchers:
            watcher.on_epoch(record, best_epoch)

    def on_notice(self, message: str) -> None:
        """Notify each."""
        for watcher in self._watchers:
            watcher.on_notice(message)
