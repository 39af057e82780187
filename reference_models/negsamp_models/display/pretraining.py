"""Progress of pre-training on the console."""

from __future__ import annotations

from collections.abc import Mapping

from negsamp_models.display.progress import EpochBar
from negsamp_models.s3rec import PretrainingRecord
from negsamp_models.settings import OBJECTIVES

__all__ = ["PretrainingDisplay"]

_SHORT = dict(zip(OBJECTIVES, ("AAP", "MIP", "MAP", "SP"), strict=True))


class PretrainingDisplay(EpochBar):
    """A progress bar over the batches of an epoch with the four losses, and a line per epoch.

    The parameters are those of `negsamp_models.display.progress.EpochBar`.
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
