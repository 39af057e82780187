"""A pytest plugin that appends the outcome of each test to a file, one line per test.

It also keeps Hypothesis from looking for a simpler example after a failure: with new kernels to be
compiled for each, that can take longer than all tests.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

__all__ = ["FILE", "pytest_configure", "pytest_runtest_logreport"]

FILE = "NEGSAMP_TEST_OUTCOMES"
"""Environment variable with the path of the file, which survives if the tests are killed."""
MAX_ERROR = 1500
"""Characters of an error that are kept."""


def pytest_configure() -> None:
    """Let Hypothesis report a failure as it was found; test modules are imported after this."""
    from hypothesis import Phase, settings  # noqa: PLC0415  (may be missing if no test runs)

    phases = [each for each in Phase if each not in (Phase.shrink, Phase.explain)]
    settings.register_profile("as found", settings.get_profile("ci"), phases=phases)
    settings.load_profile("as found")


def pytest_runtest_logreport(report: Any) -> None:
    """Record a test that ran, was skipped, or failed in setup or teardown."""
    if "PYTEST_XDIST_WORKER" in os.environ or (
        report.when != "call" and report.outcome == "passed"
    ):
        return  # a report of a worker also arrives in the main process
    line = {
        "file": report.location[0],
        "test": report.nodeid,
        "outcome": report.outcome,
        "seconds": report.duration,
        "error": report.longreprtext[-MAX_ERROR:] if report.failed else "",
    }
    with Path(os.environ[FILE]).open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(line) + "\n")
