"""The command ``negsamp report``."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from negsamp import ConfigError
from negsamp_models.commands.reproduce import ResultsOption, results_option
from negsamp_models.files.writing import check_writable, write_text
from negsamp_models.records import RunResult
from negsamp_models.reproduction.declarations import grid_names, load_grid
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.page.own import MARK, own_page
from negsamp_models.reproduction.page.pictures import draw
from negsamp_models.reproduction.page.report import page
from negsamp_models.reproduction.replaced import replaced_below
from negsamp_models.reproduction.running import results_below
from negsamp_models.reproduction.seeds import results_asked_for
from negsamp_models.wording import plural

__all__ = ["report_command"]


def report_command(
    own: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[GRIDS]...",
            help="TOML files with grids of your own; if none, the paper's tables and figures.",
        ),
    ] = None,
    results: ResultsOption = Path("results"),
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder for the page and its pictures. Default: docs/reproduction, or "
            "negsamp-report for grids of your own.",
        ),
    ] = None,
) -> None:
    """Write a page of the results of grids, from the result files alone.

    Without an argument, the page shows our figures beside the paper's. For TOML files that you gave
    to `negsamp reproduce`, it shows the tables of your grids, with means and deviations over the
    seeds, and names the runs that are missing:

        negsamp report grid.toml --results ours -o page
    """
    own = list(dict.fromkeys(own or []))
    _check_own(own)
    if output is None:
        output = Path("negsamp-report" if own else "docs/reproduction")
    grids = [load_grid(name) for name in own or grid_names()]
    found = _asked_for(grids, results, own or ["table1"])
    check_writable(output)
    replaced = replaced_below(results)
    text = output / "index.md"
    if own and text.exists() and not text.read_text(encoding="utf-8").startswith(MARK):
        raise ConfigError(f"{text} holds something else: name another --output")
    drawn = {}
    for grid in grids:
        picture = output / f"{grid.name}.png"
        if draw(grid, found, picture):
            drawn[grid.name] = picture.name
        elif not own:
            picture.unlink(missing_ok=True)
    write_text(text, (own_page if own else page)(grids, found, drawn, replaced))
    written = f"{plural(len(found), 'run')}; written: {text}, {plural(len(drawn), 'picture')}"
    Console().print(written, markup=False)


def _check_own(files: Sequence[str]) -> None:
    """Refuse what is not a file of one's own, and files of the same name."""
    for name in files:
        if not name.endswith(".toml"):
            raise ConfigError(
                f"report takes TOML files with grids of your own; got {name!r}: leave it out for "
                "the page of all the paper's tables and figures"
            )
    for stem, number in Counter(Path(name).stem for name in files).items():
        if number > 1:
            raise ConfigError(
                f"{number} grids have the name {stem}, which their pictures get: rename all but one"
            )


def _asked_for(grids: list[Grid], folder: Path, names: Sequence[str]) -> dict[str, RunResult]:
    """Read the results that belong to the grids."""
    command = shlex.join(["negsamp", "reproduce", *names, *results_option(folder)])
    how = f"make some with: {command}"
    if not (found := results_below(folder)):
        raise ConfigError(f"{folder} holds no result of a run; {how}")
    if not (asked := results_asked_for(grids, found)):
        number = len(found)
        none = "the one run" if number == 1 else f"none of the {number} runs"
        no = "no" if number == 1 else "a"
        whose = "table of the paper" if names == ["table1"] else "grid that is named"
        raise ConfigError(f"{none} in {folder} belongs to {no} {whose}; {how}")
    return asked
