"""The command ``negsamp prepare``."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich import progress
from rich.console import Console
from rich.markup import escape

from negsamp import ConfigError
from negsamp_models.datasets import (
    DATASETS,
    Actions,
    DatasetError,
    NamedDataset,
    dataset_of,
    read_actions,
)
from negsamp_models.datasets.packed import unpacked, without_packing
from negsamp_models.display.results import SHARE_SHOWN
from negsamp_models.files.writing import check_writable, write_json, write_whole

__all__ = ["prepare_command"]

_INPUT = Path("-")
_TAKEN = {"synthetic", *(name for each in DATASETS for name in (each.name, each.alias))}


def prepare_command(
    log: Annotated[
        Path,
        typer.Argument(
            help="A CSV file, one action per line; the first line names the columns. It may be "
            "compressed (.gz, .bz2, .xz); - is the standard input, and needs --name."
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="Name of the data set. Default: that of the file.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the data.")] = Path(
        "data"
    ),
    user: Annotated[str, typer.Option(help="The column of users.")] = "user",
    item: Annotated[str, typer.Option(help="The column of items.")] = "item",
    time: Annotated[
        str, typer.Option(help="The column of times: numbers, or dates as in ISO 8601.")
    ] = "timestamp",
    in_order: Annotated[
        bool, typer.Option("--in-order", help="The lines are in order of time: read no times.")
    ] = False,
    delimiter: Annotated[
        str | None,
        typer.Option(help="What separates columns. Default: a tab in .tsv files, else a comma."),
    ] = None,
    min_actions: Annotated[
        int,
        typer.Option(
            min=1,
            help="Remove users and items with fewer actions, over and over, until all have as "
            "many. Users need 4 in any case.",
        ),
    ] = 5,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a data set of this name.")
    ] = False,
) -> None:
    """Make a data set of your own from a log of actions.

    For example:

        negsamp prepare log.csv -o data --user customer --item product --time date

        negsamp compare --dataset log --data-dir data

        unzip -p log.zip | negsamp prepare - --name mine

    Writes NAME.txt, which `--dataset NAME` of the other commands reads, and NAME_names.json with
    the names behind the numbers: the first of `users` is user 1, the first of `items` is item 1.
    """
    name = _named(log, name)
    if delimiter is None:
        delimiter = "\t" if without_packing(log).suffix == ".tsv" else ","
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ConfigError(
            "--delimiter must be one character, neither a quote nor the end of a line; got "
            f"{delimiter!r} (a tab is what .tsv files have by default, and $'\\t' in a shell)"
        )
    files = output / f"{name}.txt", output / f"{name}_names.json"
    _check_free(files, log, overwrite)
    check_writable(output)
    actions = _read(log, user, item, None if in_order else time, delimiter)
    named = dataset_of(name, actions, min_actions)
    _write(files, named)
    console = Console(highlight=False)
    for line in _description(named, actions):
        console.print(line, markup=False)
    console.print(f"Written: {files[0]}, {files[1].name}", markup=False)
    if (attributes := output / f"{name}_item2attributes.json").exists():
        console.print(
            f"Kept: {attributes}, which has to be of the items as they are numbered now",
            markup=False,
        )


def _named(log: Path, name: str | None) -> str:
    """Return the name of the data set, by default that of the log."""
    if name is None and log == _INPUT:
        raise ConfigError("the standard input has no name for the data set: give one with --name")
    name = without_packing(log).stem if name is None else name
    if name in _TAKEN or not name or Path(name).name != name:
        raise ConfigError(f"{name!r} cannot be the name of your own data; give another --name")
    return name


def _check_free(files: tuple[Path, Path], log: Path, overwrite: bool) -> None:
    """Refuse to replace the log, or without `overwrite` any file."""
    for file in files:
        if file.exists() and log.exists() and file.samefile(log):
            raise ConfigError(f"{file} is the log itself: give another --name, or --output")
        if file.exists() and not overwrite:
            raise ConfigError(f"{file} exists: give another --name, or --overwrite")


def _write(files: tuple[Path, Path], named: NamedDataset) -> None:
    """Write data and names; nothing is replaced before both are written.

    The old names go just before, so that no data ever stand beside the names of others.
    """
    data, names = files
    sequences = enumerate(named.dataset.sequences, start=1)
    lines = (" ".join(map(str, [number, *items.tolist()])) for number, items in sequences)
    text = "\n".join(lines) + "\n"
    content = {"users": named.user_names, "items": named.item_names}

    def write_names(target: Path) -> None:
        write_json(target, content)
        write_whole(data, write_data)

    def write_data(target: Path) -> None:
        target.write_text(text, encoding="utf-8")
        names.unlink(missing_ok=True)

    write_whole(names, write_names)


def _read(log: Path, user: str, item: str, time: str | None, delimiter: str) -> Actions:
    name = "the standard input" if log == _INPUT else str(log)
    try:
        with _opened(log) as file, unpacked(file, log.suffix) as lines:
            return read_actions(lines, user, item, time, delimiter)
    except OSError as error:
        raise DatasetError(f"cannot read {name}: {error.strerror or error}") from error
    except DatasetError as error:
        raise DatasetError(f"{name}: {error}") from error


def _opened(log: Path) -> AbstractContextManager[BinaryIO]:
    """Open the log, and show how much of it is read; that of the standard input is not known."""
    if log == _INPUT:
        return nullcontext(sys.stdin.buffer)
    console = Console(stderr=True)
    return progress.open(
        log,
        "rb",
        description=f"Reading {escape(log.name)}",
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _description(named: NamedDataset, actions: Actions) -> list[str]:
    """Return what the data set holds, and what was left out of it."""
    size, returns = named.dataset.statistics(), named.dataset.share_of_returns()
    lines = [
        f"{size.num_users:,} of {len(actions.user_names):,} users, "
        f"{size.num_items:,} of {len(actions.item_names):,} items, "
        f"{size.num_actions:,} of {len(actions.users):,} actions; "
        f"{size.average_length:.1f} a user",
    ]
    if returns >= SHARE_SHOWN:
        lines.append(
            f"For {returns:.0%} of the users the test answer is an item that they had before: it "
            "counts as a miss in `test` of a result; see `test_unmasked` too"
        )
    return lines
