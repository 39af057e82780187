"""Options that several commands share, and how a command ends when something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from negsamp import NegSampError

__all__ = [
    "DataDirOption",
    "DatasetOption",
    "DeviceOption",
    "EpochsOption",
    "ExcludeOption",
    "OutputOption",
    "PatienceOption",
    "SeedOption",
    "complaints",
    "given",
]

DatasetOption = Annotated[
    str,
    typer.Option(
        help="synthetic (embedded, no network), Beauty, Sports, Toys, Yelp, or NAME for your own "
        "NAME.txt in --data-dir: a line a user, `user item item ...`, ids from 1.",
    ),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the data files. Default: the environment variable NEGSAMP_DATA, else the "
        "user's cache, into which the four public sets are downloaded and checked.",
    ),
]
OutputOption = Annotated[
    Path, typer.Option("--output", "-o", help="Folder for the results; made if missing.")
]
SeedOption = Annotated[int, typer.Option(help="Seed of weights, batches, dropout and negatives.")]
EpochsOption = Annotated[
    int | None, typer.Option("--max-epochs", help="Stop after so many epochs in any case.")
]
PatienceOption = Annotated[
    int | None,
    typer.Option(help="Stop after so many epochs without a better validation NDCG@10."),
]
ExcludeOption = Annotated[
    bool,
    typer.Option(
        "--exclude-interactions",
        help="Exclude all items of the user's training part from the negatives, not the target "
        "alone.",
    ),
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}


@contextmanager
def complaints() -> Iterator[None]:
    """Show an error of ours as one line, and leave with status 2."""
    try:
        yield
    except (NegSampError, OSError) as error:
        Console(stderr=True).print(f"[red]error:[/] {error}", markup=True, highlight=False)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        Console(stderr=True).print("interrupted: nothing was written")
        raise typer.Exit(130) from None
