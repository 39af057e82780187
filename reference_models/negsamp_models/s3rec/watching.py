"""Who is told how pre-training goes, and what people see of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from negsamp_models.display import ProgressDisplay
from negsamp_models.s3rec.records import PretrainingRecord
from negsamp_models.s3rec.settings import OBJECTIVES

__all__ = ["PretrainingDisplay", "PretrainingWatcher", "Silent"]

_SHORT = dict(zip(OBJECTIVES, ("AAP", "MIP", "MAP", "SP"), strict=True))


class PretrainingWatcher(Protocol):
    """Who is told how pre-training goes."""

    def on_begin(self, records: Sequence[PretrainingRecord]) -> None:
        """Be told of the epochs that are done when the run begins or goes on."""
        ...

    def on_losses(
        self, epoch: int, batch: int, num_batches: int, losses: Mapping[str, float]
    ) -> None:
        """Be told of a batch: the means of the epoch so far, by objective."""
        ...

    def on_record(self, record: PretrainingRecord) -> None:
        """Be told of an epoch."""
        ...

    def on_notice(self, message: str) -> None:
        """Be told what a person should know and need not act on at once."""
        ...


class Silent:
    """A watcher that does nothing."""

    def on_begin(self, records: Sequence[PretrainingRecord]) -> None:
        """Do nothing."""

    def on_losses(
        self, epoch: int, batch: int, num_batches: int, losses: Mapping[str, float]
    ) -> None:
        """Do nothing."""

    def on_record(self, record: PretrainingRecord) -> None:
        """Do nothing."""

    def on_notice(self, message: str) -> None:
        """Do nothing."""


class PretrainingDisplay(ProgressDisplay):
    """A bar over the batches of an epoch with the four losses, and a line for each epoch.

    The parameters are those of `negsamp_models.display.ProgressDisplay`.
    """

    bar_width = 8  # the losses are to fit into 80 columns

    def on_begin(self, records: Sequence[PretrainingRecord]) -> None:
        """Say where the run goes on, if it does not begin."""
        if records:
            self._print(f"{self._title}  resumes after epoch {len(records)}")

    def on_losses(
        self, epoch: int, batch: int, num_batches: int, losses: Mapping[str, float]
    ) -> None:
        """Move the bar."""
        self._progress.update(
            self._task,
            description=f"epoch {epoch + 1}/{self._max_epochs}",
            completed=batch + 1,
            total=num_batches,
            status=" ".join(f"{_SHORT[name]} {value:.3g}" for name, value in losses.items()),
        )

    def on_record(self, record: PretrainingRecord) -> None:
        """Write the epoch's line."""
        losses = "  ".join(f"{_SHORT[name]} {value:.4f}" for name, value in record.losses.items())
        self._print(
            f"{self._title}  epoch {record.epoch + 1:3d}  {losses}  "
            f"{record.seconds:.1f} s ({record.sampling_seconds:.1f} s sampling)"
        )
