"""Notifications about the progress of pre-training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from negsamp_models.s3rec.records import PretrainingRecord

__all__ = ["PretrainingWatcher", "Silent"]


class PretrainingWatcher(Protocol):
    """Receives notifications about the progress of pre-training."""

    def on_start(self, records: Sequence[PretrainingRecord]) -> None:
        """Handle the start or resumption of a run; `records` are the finished epochs."""
        ...

    def on_batch(
        self, epoch: int, batch: int, num_batches: int, losses: Mapping[str, float]
    ) -> None:
        """Handle the end of a batch; `losses` are the means of the epoch so far, by objective."""
        ...

    def on_epoch(self, record: PretrainingRecord) -> None:
        """Handle the end of an epoch."""
        ...

    def on_notice(self, message: str) -> None:
        """Handle a message to the user that needs no immediate action."""
        ...


class Silent:
    """A watcher that does nothing."""

    def on_start(self, records: Sequence[PretrainingRecord]) -> None:
        """Do nothing."""

    def on_batch(
        self, epoch: int, batch: int, num_batches: int, losses: Mapping[str, float]
    ) -> None:
        """Do nothing."""

    def on_epoch(self, record: PretrainingRecord) -> None:
        """Do nothing."""

    def on_notice(self, message: str) -> None:
        """Do nothing."""
