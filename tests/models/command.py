"""Run the command in this process, and read what it prints."""

from __future__ import annotations

import re

from typer.testing import CliRunner, Result

from negsamp_models.commands.application import application


def run(*arguments: str) -> Result:
    """Run the command on a wide terminal."""
    return CliRunner().invoke(application, list(arguments), env={"COLUMNS": "200"})


def plain(text: str) -> str:
    """Return text without colours, each run of blanks one space."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split())
