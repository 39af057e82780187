"""Leave out, and say so, what needs a framework that is not installed; under CI refuse to."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest

FRAMEWORKS = {
    "backends/negsamp_torch": "torch",
    "reference_models": "torch",
    "tests/models": "torch",
}

collect_ignore = [folder for folder, name in FRAMEWORKS.items() if find_spec(name) is None]


def pytest_report_header() -> str | None:
    """Name what is left out."""
    if not collect_ignore:
        return None
    missing = sorted({FRAMEWORKS[folder] for folder in collect_ignore})
    message = f"not installed: {', '.join(missing)}; left out: {', '.join(collect_ignore)}"
    if os.environ.get("CI"):
        raise pytest.UsageError(message)
    return message
