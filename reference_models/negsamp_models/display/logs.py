"""Machine-readable logs of a run: JSON lines, and TensorBoard's event files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from negsamp import ConfigError
from negsamp_models.files.writing import write_text
from negsamp_models.records import EpochRecord
from negsamp_models.training.watching import Silent

__all__ = ["JsonLines", "TensorBoard", "event_writer"]


class JsonLines(Silent):
    """A file with one JSON object per line: first a description of the run, then its epochs.

    The line of an epoch has the fields of :class:`~negsamp_models.records.EpochRecord`,
    `draws_per_second` and `sampling_share`. When a run resumes, the file is rewritten from the
    epochs of the checkpoint, so that each epoch appears once. A line that cannot be written, as on
    a full disk, is written together with a later one.

    Parameters
    ----------
    path : Path
        The file.
    run : mapping
        JSON-serialisable values for the first line.
    """

    def __init__(self, path: Path, run: Mapping[str, Any]) -> None:
        self._path = path
        self._lines = [json.dumps(run, allow_nan=False)]
        self._whole = True

    def on_start(self, records: Sequence[EpochRecord]) -> None:
        """Write the first line and those of the finished epochs."""
        self._lines[1:] = [_line(record) for record in records]
        self._write()

    def on_epoch(self, record: EpochRecord, best_epoch: int) -> None:
        """Add a line."""
        self._lines.append(_line(record))
        try:
            if self._whole:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(self._lines[-1] + "\n")
            else:
                self._write()
        except OSError:
            self._whole = False
        else:
            self._whole = True

    def _write(self) -> None:
        write_text(self._path, "".join(f"{line}\n" for line in self._lines))


def event_writer() -> Any:
    """Return the class that writes event files.

    Raises
    ------
    ConfigError
        If the package tensorboard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  (optional)
    except ImportError as error:
        raise ConfigError(
            f'logs for TensorBoard need the package {error.name}: pip install "negsamp[watch]"'
        ) from None
    return SummaryWriter


class TensorBoard(Silent):
    """Event files for TensorBoard, one step per epoch. Use it as a context manager.

    When a run resumes, events after its checkpoint are marked as purged; when it starts, all
    earlier ones. After a failed write, as on a full disk, nothing more is written: a log must not
    stop a run.

    Parameters
    ----------
    folder : Path
        Folder of the event files.

    Raises
    ------
    ConfigError
        If the package tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self._open = event_writer()
        self._folder = folder
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def on_start(self, records: Sequence[EpochRecord]) -> None:
        """Open an event file."""
        self._writer = self._open(str(self._folder), purge_step=len(records))

    def on_epoch(self, record: EpochRecord, best_epoch: int) -> None:
        """Write the epoch's scalars."""
        if self._writer is None:
            return
        try:
            for tag, value in _scalars(record).items():
                if value is not None:
                    self._writer.add_scalar(tag, value, record.epoch)
            self._writer.flush()
        except OSError:
            self._writer = None


def _line(record: EpochRecord) -> str:
    derived = {
        "draws_per_second": record.draws_per_second,
        "sampling_share": record.sampling_share,
    }
    return json.dumps(asdict(record) | derived, allow_nan=False)


def _scalars(record: EpochRecord) -> dict[str, float | None]:
    """Return the scalars that TensorBoard shows, by tag."""
    return {
        "training/loss": record.loss,
        "training/seconds": record.training_seconds,
        "sampling/alpha": record.alpha,
        "sampling/beta": record.beta,
        "sampling/entropy": record.entropy,
        "sampling/draws_per_second": record.draws_per_second,
        "sampling/share_of_time": record.sampling_share,
        **{f"validation/{name}": value for name, value in record.validation.items()},
    }
