"""Console output while the runs of grids are made."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from negsamp_models.datasets.sources import short_name
from negsamp_models.files.claimed import ClaimedError
from negsamp_models.records import CHOSEN_BY, RunResult
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.order import Outlook
from negsamp_models.reproduction.planned import Step
from negsamp_models.reproduction.running import Outcome
from negsamp_models.reproduction.worker import Event, Notice

__all__ = ["Display", "named"]


def named(step: Step) -> str:
    """Return the name of a step, with the short name of its data set."""
    return f"{short_name(step.dataset)} {step.slug} seed {step.settings.seed}"


class Display:
    """Shows a progress bar per active run, a line per finished run, and how much is left.

    Parameters
    ----------
    console : Console
    grids : list of Grid
        The grids whose runs are made.
    results : dict of str to RunResult
        Finished runs, by key.
    folder : Path
        Folder of the results.
    jobs : int
        Number of runs at once.

    Attributes
    ----------
    failed : int
        Steps that ended with an error.
    """

    def __init__(
        self,
        console: Console,
        grids: list[Grid],
        results: dict[str, RunResult],
        folder: Path,
        jobs: int,
    ) -> None:
        self.failed = 0
        self._grids, self._results, self._folder, self._jobs = grids, dict(results), folder, jobs
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=10),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._names: dict[str, str] = {}

    def __enter__(self) -> Display:
        self._progress.start()
        self._show_outlook()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def on_start(self, step: Step) -> None:
        """Show a step."""
        total = step.max_epochs
        self._names[step.key] = named(step)
        self._tasks[step.key] = self._progress.add_task(named(step), total=total, status="")

    def on_event(self, event: Event | Notice) -> None:
        """Show the progress of an epoch, or print a notice."""
        if isinstance(event, Notice):
            self._print(f"[yellow]notice[/]  {self._names[event.run]}: {escape(event.text)}")
            return
        if event.run not in self._tasks:  # events are queued, and may arrive after the end
            return
        status = ""
        if event.best_epoch is not None:
            status = f"best {event.best_epoch + 1}, now {event.validation:.2f}"
        self._progress.update(self._tasks[event.run], completed=event.epoch + 1, status=status)

    def on_end(self, step: Step, outcome: Outcome) -> None:
        """Print how a step ended, and how much is left."""
        self._progress.remove_task(self._tasks.pop(step.key))
        if isinstance(outcome, ClaimedError):
            self._print(f"[yellow]skipped[/]  {named(step)}: {escape(str(outcome))}")
        elif isinstance(outcome, BaseException):
            self.failed += 1
            self._print(f"[red]failed[/]  {named(step)}: {escape(str(outcome))}")
        elif isinstance(outcome, RunResult):
            self._results[step.key] = outcome
            validation = outcome.validation[CHOSEN_BY]
            self._print(f"[green]done[/]  {named(step)}: validation {CHOSEN_BY} {validation:.2f}")
            self._show_outlook()
        else:
            self._print(f"[green]done[/]  {named(step)}")

    def _show_outlook(self) -> None:
        self._print(Outlook.of(self._grids, self._results, self._folder).words(self._jobs))

    def _print(self, text: str) -> None:
        self._progress.console.print(text, highlight=False)
