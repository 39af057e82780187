"""A pytest plugin that writes down how each test came out, one line a test, as it goes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

__all__ = ["FILE", "pytest_runtest_logreport"]

FILE = "NEGSAMP_TEST_OUTCOMES"
"""The variable that names the file; what is cut off leaves its lines there."""


def pytest_runtest_logreport(report: Any) -> None:
    """Note a test that ran, was skipped, or failed before or after it ran."""
    if "PYTEST_XDIST_WORKER" in os.environ or (
        report.when != "call" and report.outcome == "passed"
    ):
        return  # what a worker reports comes here once more
    line = {
        "file": report.location[0],
        "test": report.nodeid,
        "outcome": report.outcome,
        "seconds": report.duration,
    }
    with Path(os.environ[FILE]).open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(line) + "\n")
