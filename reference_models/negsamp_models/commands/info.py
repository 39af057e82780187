"""The command ``negsamp info``."""

from __future__ import annotations

import os
import sys

from rich.console import Console
from rich.markup import escape

import negsamp
from negsamp.backend import report_backends
from negsamp_models.display.whole_tables import print_whole, whole_table

__all__ = ["info_command"]


_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "0"}
"""Silence TensorFlow: at any log level it reports oneDNN unless that is disabled. `info` computes
nothing, so oneDNN is not missed."""


def info_command() -> None:
    """Show the version, the backends with their devices, and why a backend is missing."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    console = Console()
    console.print(f"negsamp {negsamp.__version__}, Python {sys.version.split()[0]}")
    rows = [
        (
            report.name,
            report.details.get("version", "-"),
            report.details.get("devices", "-"),
            "[green]ready[/]" if report.problem is None else escape(report.problem),
        )
        for report in report_backends()
    ]
    print_whole(console, whole_table(["backend", "version", "devices", "status"], [], rows))
