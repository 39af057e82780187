"""``import negsamp`` is quick, and loads nothing but NumPy and the standard library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

LIMIT_SECONDS = 0.15
NUM_RUNS = 5

_CHILD = """
import json, sys, time
import numpy
before = set(sys.modules)
start = time.process_time()
import {package}
seconds = time.process_time() - start
print(json.dumps([seconds, sorted(set(sys.modules) - before)]))
"""


class Cost(NamedTuple):
    """What an import adds to NumPy's own: processor time, which other processes barely move."""

    seconds: float
    packages: set[str]


def cost_of_import(package: str, path: str = "") -> Cost:
    """Import a package in fresh interpreters that have NumPy already; the median of their times."""
    environment = os.environ | ({"PYTHONPATH": path} if path else {})
    runs = []
    for _ in range(NUM_RUNS + 1):  # the first may have to compile
        child = subprocess.run(
            [sys.executable, "-c", _CHILD.format(package=package)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        runs.append(json.loads(child.stdout))
    packages = {name.partition(".")[0] for _, names in runs for name in names}
    return Cost(
        median(seconds for seconds, _ in runs[1:]),
        packages - sys.stdlib_module_names - {package, "numpy"},
    )


@pytest.fixture
def package_folder(tmp_path: Path) -> Path:
    """A folder with a framework that is called torch and costs nothing."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/__init__.py").touch()
    return tmp_path


def test_import_negsamp_loads_no_framework_and_is_quick() -> None:
    cost = cost_of_import("negsamp")
    assert cost.packages == set()
    assert cost.seconds < LIMIT_SECONDS


def test_a_framework_would_be_seen(package_folder: Path) -> None:
    (package_folder / "eager.py").write_text("import torch\n")
    cost = cost_of_import("eager", str(package_folder))
    assert cost.packages == {"torch"}
    assert cost.seconds < LIMIT_SECONDS


def test_a_slow_import_would_be_seen(package_folder: Path) -> None:
    (package_folder / "slow.py").write_text(
        "import time\n"
        f"until = time.process_time() + {LIMIT_SECONDS}\n"
        "while time.process_time() < until: pass\n"
    )
    cost = cost_of_import("slow", str(package_folder))
    assert cost.packages == set()
    assert cost.seconds >= LIMIT_SECONDS
