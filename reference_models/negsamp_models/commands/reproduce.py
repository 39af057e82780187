"""The command ``negsamp reproduce``."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from negsamp import ConfigError
from negsamp_models.commands.options import CudaGraphsOption, DataDirOption, DeviceOption, given
from negsamp_models.datasets import load_dataset
from negsamp_models.display.whole_tables import print_whole, whole_table
from negsamp_models.processes import Processes
from negsamp_models.records import RunResult
from negsamp_models.reproduction.declarations import load_grids
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.order import Outlook, by_need, expected_seconds
from negsamp_models.reproduction.pretraining import PlannedPretraining
from negsamp_models.reproduction.progress import Display, named
from negsamp_models.reproduction.running import make_runs, results_below
from negsamp_models.reproduction.worker import Workplace
from negsamp_models.settings import device_named
from negsamp_models.training.captured import check_cuda_graphs
from negsamp_models.wording import duration, plural

__all__ = ["ResultsOption", "reproduce_command", "results_option", "what_comes_next"]

ResultsOption = Annotated[
    Path, typer.Option("--results", help="Folder of the result files, one per run.")
]


def reproduce_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Tables and figures, such as table1 fig8, or TOML files with grids of your own; "
            "if none, list them."
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All tables and figures.")] = False,
    datasets: Annotated[
        list[str] | None, typer.Option("--dataset", help="Only this data set; may be repeated.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Seeds per configuration; default: as declared.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Number of runs at once.")] = 1,
    results: ResultsOption = Path("results"),
    data_dir: DataDirOption = None,
    device: DeviceOption = "auto",
    cuda_graphs: CudaGraphsOption = False,
    max_epochs: Annotated[
        int | None, typer.Option(min=1, help="For a trial run; the tables do not use such runs.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the runs that would be made, in their order.")
    ] = False,
) -> None:
    """Make the missing runs of the paper's tables and figures.

    Each table or figure is a grid of runs; runs that several of them share are made once. Each run
    has its own process and writes one JSON file. Until it is finished it keeps checkpoints beside
    that file, so that repeating an interrupted command continues from them. Seed 0 of every
    configuration comes before seed 1 of any, and runs among which validation chooses come before
    runs that use the choice.

    Without a name, lists the grids, the number of missing runs of each, and the time they would
    take, estimated from similar runs and including pre-training; "?" means that there are none.

    S3-Rec is pre-trained first, once per data set and seed. Its weights are kept beside the
    results, in `DATASET/pretraining/seedN`; if they are missing, it is pre-trained again when a run
    needs them.
    """
    console = Console()
    if every and names:
        raise ConfigError(f"name tables and figures or give --all; got both: {names}")
    grids = load_grids(names, datasets, seeds, **given(max_epochs=max_epochs))
    place = device_named(device)  # fail once, not in each run
    if cuda_graphs:
        check_cuda_graphs(Processes(), place)
    found = results_below(results)
    if not (names or every or dry_run):
        print_whole(console, _overview(grids, found, results))
        return
    if dry_run:
        if by_need(grids, found):
            print_whole(console, _plan(grids, found, results))
        console.print(Outlook.of(grids, found, results).words(jobs))
        return
    for dataset in sorted({run.dataset for run in by_need(grids, found)}):
        load_dataset(dataset, data_dir)  # missing data fail once too, and are downloaded once
    with (
        Display(console, grids, found, results, jobs) as display,
        _interruption_reported(console),
    ):
        make_runs(grids, Workplace(results, data_dir, device, cuda_graphs), jobs, display)
    if display.failed:
        failed = plural(display.failed, "run")
        console.print(f"[red]{failed} failed[/]; the others are in {escape(str(results))}")
        raise typer.Exit(1)
    if (left := Outlook.of(grids, results_below(results), results)).runs:
        console.print(
            f"Done, except for runs of other commands: {left.words(jobs)}. Repeat this command "
            "when those have finished"
        )
    else:
        following = what_comes_next(names, max_epochs, results)
        console.print(f"Done; results are in {results}. Next: {following}", markup=False)


def what_comes_next(names: list[str] | None, max_epochs: int | None, folder: Path) -> str:
    """Return the command that shows the results: a page, unless the runs are on trial."""
    if max_epochs is not None:
        return shlex.join(["negsamp", "table", str(folder)])
    names = names or []
    own = names if all(name.endswith(".toml") for name in names) else []
    return shlex.join(["negsamp", "report", *own, *results_option(folder)])


def results_option(folder: Path) -> list[str]:
    """Return the words of the option for a folder of results; none for the default."""
    return [] if folder == Path("results") else ["--results", str(folder)]


@contextmanager
def _interruption_reported(console: Console) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        console.print("Interrupted; unfinished runs are saved: repeat the command to continue.")
        raise typer.Exit(130) from None


def _overview(grids: list[Grid], found: dict[str, RunResult], folder: Path) -> Table:
    caption = "make them with, for instance: negsamp reproduce table1 --dataset Beauty --jobs 2"
    rows = [
        (grid.name, grid.title, str(len(left.runs)), left.time())
        for grid, left in ((grid, Outlook.of([grid], found, folder)) for grid in grids)
    ]
    return whole_table(
        ["name", "what"], ["runs left", "about"], rows, caption=caption, box=box.SIMPLE_HEAD
    )


def _plan(grids: list[Grid], found: dict[str, RunResult], folder: Path) -> Table:
    rows: list[tuple[str, str, str]] = []
    runs = by_need(grids, found)
    waiting = Counter(run.first_step(folder).key for run in runs)
    for run in runs:
        first = run.first_step(folder)
        if isinstance(first, PlannedPretraining) and first.key in waiting:
            number = plural(waiting.pop(first.key), "run")
            rows.append((named(first), number, _time(first.expected_seconds(folder))))
        wanted = [grid.name for grid in grids if run.key in {r.key for r in grid.missing(found)}]
        rows.append((named(run), ", ".join(wanted), _time(expected_seconds(run, found))))
    return whole_table(["run", "for"], ["expected"], rows, box=box.SIMPLE_HEAD)


def _time(seconds: float | None) -> str:
    return "?" if seconds is None else duration(seconds)
