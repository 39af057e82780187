"""Environment of a measurement: processor, memory, versions, source."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from negsamp_models.files.environment import environment
from negsamp_models.files.source import digest_of

__all__ = ["surroundings"]

PEERS = ("numba", "tensorflow-cpu", "tensorflow", "recbole", "implicit", "pykeen")
CHECKOUT = Path(__file__).parents[1]
SOURCES = ("negsamp", "backends", "reference_models", "benchmarks")


def surroundings() -> dict[str, Any]:
    """Return the environment that figures depend on; no peer is imported for it."""
    known = environment(torch.device("cpu"))
    del known["threads"], known["source"]
    return {
        "machine": known.pop("device"),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "versions": known | {name: found for name in PEERS if (found := _version(name))},
        "source": source_digest(),
    }


def source_digest() -> str:
    """Return a digest of the measured and the measuring Python code."""
    return digest_of(CHECKOUT / folder for folder in SOURCES)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
