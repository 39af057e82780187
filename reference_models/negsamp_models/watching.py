"""Who is told how a run goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from negsamp_models.records import EpochRecord

__all__ = ["Silent", "Together", "Watcher"]


class Watcher(Protocol):
    """Who is told how a run goes."""

    def on_start(self, records: Sequence[EpochRecord]) -> None:
        """Be told of the epochs that are done when the run begins or goes on."""
        ...

    def on_batch(self, epoch: int, batch: int, num_batches: int, loss: float) -> None:
        """Be told of a batch."""
        ...

    def on_epoch(self, record: EpochRecord, best_epoch: int) -> None:
        """Be told of an epoch."""
        ...

    def on_notice(self, message: str) -> None:
        """Be told what a person should know and need not act on at once."""
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
    """Several watchers in the place of one."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    def on_start(self, records: Sequence[EpochRecord]) -> None:
        """Tell each of the epochs that are done."""
        for watcher in self._watchers:
            watcher.on_start(records)

    def on_batch(self, epoch: int, batch: int, num_batches: int, loss: float) -> None:
        """Tell each of a batch."""
        for watcher in self._watchers:
            watcher.on_batch(epoch, batch, num_batches, loss)

    def on_epoch(self, record: EpochRecord, best_epoch: int) -> None:
        """Tell each of an epoch."""
        for watcher in self._watchers:
            watcher.on_epoch(record, best_epoch)

    def on_notice(self, message: str) -> None:
        """Tell each."""
        for watcher in self._watchers:
            watcher.on_notice(message)
