"""Run tests of the contract, of the laws and of training on the device, in a subprocess."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.gpu import counting
from benchmarks.gpu.device import Device
from benchmarks.gpu.records import TestCount
from benchmarks.machine import CHECKOUT

__all__ = ["run_tests"]

PROCESSES = 8
"""Largest number of pytest-xdist workers; they can share the device, as tests wait for the host."""
MAX_OUTPUT = 8000
"""Characters of pytest's output that are shown after failures."""


def run_tests(
    files: Sequence[str],
    device: Device,
    seconds: float,
    tell: Callable[[str], None],
    only: str = "",
) -> tuple[list[TestCount], bool]:
    """Run the tests of some files on the torch backend of a device.

    Parameters
    ----------
    files : sequence of str
        Paths in the checkout.
    device : Device
        Device of the arrays in the tests.
    seconds : float
        Time limit; the tests are killed when it is over.
    tell : callable
        Called with the outcome, and with output about failures.
    only : str
        An expression for pytest's ``-k``, in addition to the backend.

    Returns
    -------
    tuple of (list of TestCount, bool)
        One per file, and whether the tests were completed.
    """
    on_cuda = device.name == "cuda"
    if find_spec("xdist") is None:
        tell("pytest-xdist is not installed: the tests run sequentially")
    backend = "torch-cuda" if on_cuda else "torch"
    chosen = "torch-cuda or test_cuda" if on_cuda else "torch"
    with tempfile.TemporaryDirectory(prefix="negsamp-tests-") as folder:
        outcomes = Path(folder) / "outcomes"
        outcomes.touch()
        command = [sys.executable, "-m", "pytest", *_options(), *files]
        command += ["-k", f"({chosen}) and ({only})" if only else chosen]
        variables = {
            "NEGSAMP_TEST_BACKENDS": backend,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "TRITON_INTERPRET": str(int(not on_cuda)),
            counting.FILE: str(outcomes),
        }
        code = _run(command, _outside_of_tests() | variables, seconds, tell)
        lines = [json.loads(line) for line in outcomes.read_text(encoding="utf-8").splitlines()]
    if code is None:  # then pytest itself has shown nothing of them
        for each in lines:
            if each["outcome"] == "failed":
                tell(f"{each['test']} failed:\n{each['error']}")
    counts = [_count(file, [each for each in lines if each["file"] == file]) for file in files]
    for each in counts:
        tell(f"{each.file}: {each.passed} passed, {each.failed} failed, {each.skipped} skipped")
    return counts, code in (0, 1)


def _run(
    command: Sequence[str], environment: dict[str, str], seconds: float, tell: Callable[[str], None]
) -> int | None:
    """Return the exit status, None after the time limit; show output about failures."""
    process = subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=max(seconds, 1.0))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # including the xdist workers
        process.communicate()
        tell(f"killed after the time limit of {seconds:.0f} s")
        return None
    if process.returncode != 0:
        tell(output[-MAX_OUTPUT:])
    return process.returncode


def _outside_of_tests() -> dict[str, str]:
    """Return the environment without the variables of a surrounding pytest run and of CI.

    In CI the tests fail if a framework is missing, and TensorFlow may be.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTEST_") and name != "CI"
    }


def _options() -> list[str]:
    """Return options that replace those of the project, and plugins that would be autoloaded."""
    options = ["-c", os.devnull, f"--rootdir={CHECKOUT}", "--import-mode=importlib", "-q"]
    options += ["-p", "no:cacheprovider", "-p", "benchmarks.gpu.counting"]
    if find_spec("xdist") is not None:
        options += ["-p", "xdist", "-n", str(min(PROCESSES, os.cpu_count() or 1))]
    return options


def _count(file: str, lines: Sequence[dict[str, str]]) -> TestCount:
    found = Counter(each["outcome"] for each in lines)
    seconds = sum(float(each["seconds"]) for each in lines)
    return TestCount(file, found["passed"], found["failed"], found["skipped"], seconds)
