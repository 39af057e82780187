"""The commands reproduce and report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from negsamp import ConfigError
from negsamp_models.options import DataDirOption, DeviceOption, given
from negsamp_models.reproduction.grids import Grid, Step, grid_names, load_grid
from negsamp_models.reproduction.pictures import draw
from negsamp_models.reproduction.pretraining import PlannedPretraining
from negsamp_models.reproduction.report import write_page
from negsamp_models.reproduction.running import Event, make_runs, results_below
from negsamp_models.session import complaints

__all__ = ["report_command", "reproduce_command"]

ResultsOption = Annotated[
    Path, typer.Option("--results", help="Folder of the result files, one a run.")
]


def reproduce_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Tables and figures, such as table1 fig8; none: list them."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All tables and figures.")] = False,
    datasets: Annotated[
        list[str] | None, typer.Option("--dataset", help="Only this data set; may be repeated.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Seeds a configuration; default: as declared.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at once.")] = 1,
    results: ResultsOption = Path("results"),
    data_dir: DataDirOption = None,
    device: DeviceOption = "auto",
    max_epochs: Annotated[
        int | None, typer.Option(min=1, help="For a trial; such runs count as other runs.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what is missing.")] = False,
) -> None:
    """Make the runs of the paper's tables and figures that are missing.

    Each table or figure is a grid of runs; runs that two of them share are made once. A run is one
    process and leaves one JSON file; until then it has checkpoints beside it, so that an
    interrupted command, given again, goes on where it was. Without a name, the grids are listed
    with what is missing of each.

    S3-Rec is pre-trained first, once for a data set and seed. Its weights stay beside the results,
    in `DATASET/pretraining/seedN`; without them it is made again when a run needs it.
    """
    console = Console()
    with complaints():
        if every and names:
            raise ConfigError(f"name tables and figures or give --all; got both: {names}")
        grids = [
            load_grid(name, datasets, seeds, **given(max_epochs=max_epochs))
            for name in (names or grid_names())
        ]
        if dry_run or not (names or every):
            console.print(_overview(grids, results))
            if first := _pretrainings(grids, results):
                console.print(first)
            return
        with _Display(console) as display:
            make_runs(
                grids,
                results,
                data_dir,
                jobs,
                device,
                display.on_event,
                display.on_start,
                display.on_end,
            )
        if display.failed:
            console.print(f"[red]{display.failed} runs failed[/]; the others are in {results}")
            raise typer.Exit(1)
        console.print(f"Done; results are in {results}. Next: negsamp report")


def report_command(
    results: ResultsOption = Path("results"),
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the page and its pictures.")
    ] = Path("docs/reproduction"),
) -> None:
    """Write the page that shows our figures beside the paper's, from the result files alone."""
    console = Console()
    with complaints():
        grids = [load_grid(name) for name in grid_names()]
        found = results_below(results)
        drawn = {
            grid.name: f"{grid.name}.png"
            for grid in grids
            if (grid.sweep or grid.curves) and draw(grid, found, output / f"{grid.name}.png")
        }
        write_page(grids, found, drawn, output / "index.md")
        console.print(f"{len(found)} runs; written: {output / 'index.md'}, {len(drawn)} pictures")


def _overview(grids: list[Grid], folder: Path) -> Table:
    found = results_below(folder)
    caption = "make them with, for instance: negsamp reproduce table1 --dataset Beauty --jobs 2"
    table = Table("name", "what", "runs missing", caption=caption, box=box.SIMPLE_HEAD)
    for grid in grids:
        table.add_row(grid.name, grid.title, str(len(grid.missing(found))))
    return table


def _pretrainings(grids: list[Grid], folder: Path) -> Table | None:
    """Return what has to be pre-trained before runs that are missing, if anything has to."""
    found = results_below(folder)
    runs = {run.key: run for grid in grids for run in grid.missing(found)}
    steps = [run.first_step(folder) for run in runs.values()]
    waiting = Counter(step for step in steps if isinstance(step, PlannedPretraining))
    table = Table("first", "epochs", "runs that wait for it", box=box.SIMPLE_HEAD)
    for step, number in waiting.items():
        table.add_row(_name(step), str(step.max_epochs), str(number))
    return table if waiting else None


def _name(step: Step) -> str:
    return f"{step.dataset} {step.slug} seed {step.settings.seed}"


class _Display:
    """A line for each run that goes on, and one for each that ended."""

    def __init__(self, console: Console) -> None:
        self.failed = 0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> _Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def on_start(self, step: Step) -> None:
        total = step.max_epochs
        self._tasks[step.key] = self._progress.add_task(_name(step), total=total, status="")

    def on_event(self, event: Event) -> None:
        status = ""
        if event.best_epoch is not None:
            status = f"best {event.best_epoch + 1}, now NDCG@10 {event.validation:.2f}"
        self._progress.update(self._tasks[event.run], completed=event.epoch + 1, status=status)

    def on_end(self, step: Step, error: BaseException | None) -> None:
        name = _name(step)
        self._progress.remove_task(self._tasks.pop(step.key))
        if error is None:
            self._progress.console.print(f"[green]done[/]  {name}")
        else:
            self.failed += 1
            self._progress.console.print(f"[red]failed[/]  {name}: {error}", highlight=False)
