"""Console output during training: a progress bar, a line per epoch, and a table of results."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from negsamp_models.records import EpochRecord

__all__ = ["EpochBar", "ProgressDisplay", "epoch_line"]


class EpochBar:
    """A progress bar over the batches of an epoch, with lines above it. Use it as a context.

    Parameters
    ----------
    title : str
        Name of the run.
    max_epochs : int
        For "epoch 3 of at most 300".
    console : Console
        Where to write; the bar is shown on a terminal only.
    """

    bar_width = 40

    def __init__(self, title: str, max_epochs: int, console: Console) -> None:
        self._title, self._max_epochs, self._console = escape(title), max_epochs, console
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(self.bar_width),
            TextColumn("{task.completed}/{task.total} batches"),
            TextColumn("{task.fields[status]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(self._title, total=None, status="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def on_start(self, records: Sequence[object]) -> None:
        """Print the epoch after which the run resumes, if it does."""
        if records:
            self._print(f"{self._title}  resumes after epoch {len(records)}")

    def on_notice(self, message: str) -> None:
        """Print the message."""
        self._print(f"[yellow]notice:[/] {escape(message)}")

    def _update(self, description: str, batch: int, num_batches: int, status: str) -> None:
        """Update the progress bar after a batch, counted from 0."""
        self._progress.update(
            self._task,
            description=description,
            completed=batch + 1,
            total=num_batches,
            status=status,
        )

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


class ProgressDisplay(EpochBar):
    """A progress bar over the batches of an epoch, and a line for each finished epoch.

    It is the watcher of a :class:`Trainer`; the parameters are those of :class:`EpochBar`.
    """

    def on_batch(self, epoch: int, batch: int, num_batches: int, loss: float) -> None:
        """Update the progress bar."""
        description = f"{self._title}, epoch {epoch + 1} of at most {self._max_epochs}"
        self._update(description, batch, num_batches, f"loss {loss:.4f}")

    def on_epoch(self, record: EpochRecord, best_epoch: int) -> None:
        """Print the line of the epoch."""
        mark = "[green]best so far[/]" if record.epoch == best_epoch else f"best {best_epoch + 1}"
        self._print(f"{self._title}  {epoch_line(record)}  {mark}")


def epoch_line(record: EpochRecord) -> str:
    """Return a line about an epoch: loss, alpha and beta, validation, time."""
    hardness = ""
    if record.alpha is not None and record.beta is not None:
        hardness = f"alpha {record.alpha:.4g}  beta {record.beta:.3g}  "
    validation = record.validation
    return (
        f"epoch {record.epoch + 1:3d}  loss {record.loss:.4f}  {hardness}"
        f"validation HR@10 {validation['HR@10']:.2f} NDCG@10 {validation['NDCG@10']:.2f}  "
        f"{record.training_seconds:.1f} s ({record.sampling_seconds:.1f} s sampling)"
    )
