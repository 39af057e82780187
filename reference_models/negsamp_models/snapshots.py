"""Keep the weights of a run after chosen epochs in files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from negsamp_models.checkpoint import CheckpointError
from negsamp_models.records import EpochRecord
from negsamp_models.results import write_whole
from negsamp_models.run_state import copied
from negsamp_models.watching import Silent

__all__ = ["Snapshots", "missing_snapshots", "read_snapshots", "remove_snapshots"]


class Snapshots(Silent):
    """Writes the weights after chosen epochs to ``EPOCHS.safetensors``, completely or not at all.

    A resumed run writes the weights of repeated epochs again; they are the same.

    Parameters
    ----------
    folder : Path
        Folder of the files; created with the first one.
    model : Module
        The model whose weights are written.
    epochs : collection of int
        After how many epochs; 0 is before training.
    """

    def __init__(self, folder: Path, model: nn.Module, epochs: Collection[int]) -> None:
        self._folder, self._model, self._epochs = folder, model, epochs

    def on_start(self, records: Sequence[EpochRecord]) -> None:
        """Write the initial weights, if requested and nothing is trained yet."""
        if not records:
            self._write(0)

    def on_epoch(self, record: EpochRecord, best_epoch: int) -> None:
        """Write the weights, if requested."""
        self._write(record.epoch + 1)

    def _write(self, epochs: int) -> None:
        if epochs in self._epochs:
            weights = save(copied(self._model))
            write_whole(_file(self._folder, epochs), lambda target: target.write_bytes(weights))


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
