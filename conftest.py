"""Make property tests deterministic, and report the tests skipped for lack of a framework."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; ranks have one thread too
os.environ.setdefault("TRITON_INTERPRET", "1")  # before Triton is imported; 0 where there is a GPU
if find_spec("triton") is not None:
    import_module("triton")  # first: Triton 3.7 crashes if loaded after TensorFlow 2.21
settings.load_profile("ci")  # no deadlines, and the same examples on every machine

FRAMEWORKS = {
    "backends/negsamp_numba": "numba",
    "backends/negsamp_tensorflow": "tensorflow",
    "backends/negsamp_torch": "torch",
    "benchmarks": "torch",
    "reference_models": "torch",
    "reference_models/negsamp_models/keras_gru.py": "tensorflow",
    "tests/benchmarks": "torch",
    "tests/models": "torch",
    "tests/models/test_keras_gru.py": "tensorflow",
}

NEEDS_TRITON = ["benchmarks/gpu/exponentials.py"]

left_out = [folder for folder, name in FRAMEWORKS.items() if find_spec(name) is None]
collect_ignore = left_out + (NEEDS_TRITON if find_spec("triton") is None else [])


def pytest_report_header() -> str | None:
    """List the folders that are skipped for lack of a framework; in CI, fail instead."""
    if not left_out:
        return None
    missing = sorted({FRAMEWORKS[folder] for folder in left_out})
    message = f"not installed: {', '.join(missing)}; left out: {', '.join(left_out)}"
    if os.environ.get("CI"):
        raise pytest.UsageError(message)
    return message
