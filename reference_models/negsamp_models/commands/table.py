"""The command ``negsamp table``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from negsamp import ConfigError
from negsamp_models.display.marked_tables import rewrite_tables
from negsamp_models.display.tables import markdown, summarise
from negsamp_models.records.reading import read_results

__all__ = ["table_command"]


def table_command(
    results: Annotated[
        list[Path],
        typer.Argument(
            help="Files result.json, or folders that contain some; with --rewrite, Markdown files."
        ),
    ],
    times: Annotated[bool, typer.Option(help="Show the seconds per epoch.")] = True,
    rewrite: Annotated[
        bool,
        typer.Option("--rewrite", help="Update the tables and figures marked in Markdown files."),
    ] = False,
) -> None:
    """Print a Markdown table of finished runs: test metrics in percent, means over seeds.

    The seconds per epoch are "-" if the runs of a row come from several versions of the code or
    several devices.

    To keep such a table in a Markdown file, write the lines
    `<!-- results: negsamp table PATHS -->` and `<!-- end of results -->`. With --rewrite, the
    output of the command, run in the current folder, replaces what is between such lines, and
    `<!-- quoted from FOLDER: PATH | PATH -->` below a paragraph replaces its figures, in order: the
    mean test HR@5 of each PATH, or `PATH validation NDCG@10`; in percent, the gain of `PATH over
    PATH`; the number of seeds. A `-` keeps a figure.
    """
    if not rewrite:
        print(markdown(summarise(read_results(results)), times), end="")
        return
    if not times:
        raise ConfigError(
            "--rewrite runs the commands between the marks: write --no-times into those"
        )
    for file, is_new in rewrite_tables(results, Path()).items():
        print(f"{'Rewritten' if is_new else 'Unchanged'}: {file}")
