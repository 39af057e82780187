"""Keep the weights of a run after chosen epochs in files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from negsamp_models.checkpoints import CheckpointError
from negsamp_models.files.writing import write_bytes
from negsamp_models.records import EpochRecord
from negsamp_models.training.trainer import Trainer
from negsamp_models.training.watching import Silent

__all__ = ["Snapshots", "missing_snapshots", "read_snapshots", "remove_snapshots"]


class Snapshots(Silent):
    """Writes the weights after chosen epochs to ``EPOCHS.safetensors``, completely or not at all.

    A resumed run writes the weights of repeated epochs again; they are the same.

    Parameters
    ----------
    folder : Path
        Folder of the files; created with the first one.
    trainer : Trainer
        The run whose weights are written.
    epochs : collection of int
        After how many epochs; 0 is before training.
    """

    def __init__(self, folder: Path, trainer: Trainer, epochs: Collection[int]) -> None:
        self._folder, self._trainer, self._epochs = folder, trainer, epochs

    def on_start(self, records: Sequence[EpochRecord]) -> None:
        """Write the initial weights, if requested and no epoch is finished yet.

        In a run that resumes within its first epoch, the model has been trained already; the best
        weights are the initial ones until that epoch ends.
        """
        if not records:
            self._write(0, self._trainer.state.best_weights)

    def on_epoch(self, record: EpochRecord, best_epoch: int) -> None:
        """Write the weights, if requested."""
        self._write(record.epoch + 1, self._trainer.model.state_dict())

    def _write(self, epochs: int, weights: Mapping[str, Tensor]) -> None:
        if epochs in self._epochs:
            write_bytes(_file(self._folder, epochs), save(dict(weights)))


def _file(folder: Path, epochs: int) -> Path:
    return folder / f"{epochs:06d}.safetensors"


def read_snapshots(folder: Path) -> dict[int, dict[str, Tensor]]:
    """Read the weights that were kept, by the number of epochs trained, ascending.

    Raises
    ------
    CheckpointError
        If a file is not a complete safetensors file.
    """
    weights = {}
    for path in sorted(folder.glob("[0-9]*.safetensors")):
        try:
            weights[int(path.stem)] = load(path.read_bytes())
        except SafetensorError as error:
            raise CheckpointError(f"{path} is not a complete safetensors file: {error}") from error
    return weights


def missing_snapshots(folder: Path, epochs: Collection[int]) -> list[int]:
    """Return those of `epochs` whose weights were not kept."""
    return [each for each in epochs if not _file(folder, each).exists()]


def remove_snapshots(folder: Path) -> None:
    """Remove the weights that were kept, and the folder if it is then empty."""
    for path in folder.glob("[0-9]*.safetensors"):
        path.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
