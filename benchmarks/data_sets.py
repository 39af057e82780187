"""What the commands that measure data sets do: a result file for each, and a table of all."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from negsamp_models.files.writing import write_json

__all__ = ["Names", "measure_each"]

Result = dict[str, Any]
Names = Annotated[
    list[str] | None,
    typer.Argument(help="Data sets in the folder NEGSAMP_DATA, such as Beauty; none: table alone."),
]


def measure_each(
    names: Sequence[str] | None,
    folder: Path,
    measure: Callable[[str], Result],
    table: Callable[[list[Result]], str],
) -> None:
    """Measure data sets, and print the table of all result files of a folder."""
    try:
        for name in names or []:
            result = measure(name)
            write_json(folder / f"{result['dataset'].lower()}.json", result)
        files = sorted(folder.glob("*.json"))
        results = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    except (ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(table(results), nl=False)
