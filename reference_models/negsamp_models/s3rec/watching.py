"""Notifications about the progress of pre-training, and their display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from negsamp_models.display import EpochBar
from negsamp_models.s3rec.records import PretrainingRecord
from negsamp_models.s3rec.settings import OBJECTIVES

__all__ = ["PretrainingDisplay", "PretrainingWatcher", "Silent"]

_SHORT = dict(zip(OBJECTIVES, ("AAP", "MIP", "MAP", "SP"), strict=True))


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


class PretrainingDisplay(EpochBar):
    """A progress bar over the batches of an epoch with the four losses, and a line per epoch.

    The parameters are those of `negsamp_models.display.EpochBar`.
    """

    bar_width = 8  # leaves room for the losses in 80 columns

    def on_batch(
        self, epoch: int, batch: int, num_batches: int, losses: Mapping[str, float]
    ) -> None:
        """Update the progress bar."""
        status = " ".join(f"{_SHORT[name]} {value:.3g}" for name, value in losses.items())
        self._update(f"epoch {epoch + 1}/{self._max_epochs}", batch, num_batches, status)

    def on_epoch(self, record: PretrainingRecord) -> None:
        """Print the line of the epoch."""
        losses = "  ".join(f"{_SHORT[name]} {value:.4f}" for name, value in record.losses.items())
        self._print(
            f"{self._title}  epoch {record.epoch + 1:3d}  {losses}  "
            f"{record.seconds:.1f} s ({record.sampling_seconds:.1f} s sampling)"
        )
