"""The command line: all commands, in the order of the help."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

import negsamp
from negsamp_models.commands.compare import compare_command
from negsamp_models.commands.info import info_command
from negsamp_models.commands.law import law_command
from negsamp_models.commands.plot import plot_command
from negsamp_models.commands.prepare import prepare_command
from negsamp_models.commands.pretrain import pretrain_command
from negsamp_models.commands.report import report_command
from negsamp_models.commands.reproduce import reproduce_command
from negsamp_models.commands.session import Command
from negsamp_models.commands.table import table_command
from negsamp_models.commands.train import train_command

__all__ = ["application"]

application = typer.Typer(
    name="negsamp",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""Negative samplers for retrieval and sequence models, with reference models.

    Start with `negsamp compare`: it trains the same SASRec with uniform, popularity and GenNi
    negatives on embedded data, in about two minutes, and shows how much the choice matters. Then
    run `negsamp compare --dataset Beauty` for real data.""",
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        print(f"negsamp {negsamp.__version__}")
        raise typer.Exit


@application.callback()
def _before_any_command(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Handle the options that belong to no command."""


_command = partial(application.command, cls=Command)
_command("compare")(compare_command)
_command("train")(train_command)
_command("table")(table_command)
_command("plot")(plot_command)
_command("pretrain")(pretrain_command)
_command("prepare")(prepare_command)
_command("law")(law_command)
_command("reproduce")(reproduce_command)
_command("report")(report_command)
_command("info")(info_command)
