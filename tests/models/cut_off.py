"""The command, as a function that a child process can be given."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from negsamp_models.command_line import main


def run_command(arguments: list[str], output: Path) -> None:
    """Run the command with all that it prints in a file."""
    with output.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = ["negsamp", *arguments]
    main()
