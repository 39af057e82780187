"""Digest of the source code that made a result: a version number is not precise enough."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

__all__ = ["digest_of", "source_digest", "source_folders"]

PACKAGES = ("negsamp", "negsamp_numpy", "negsamp_numba", "negsamp_torch", "negsamp_models")


@cache
def source_digest() -> str:
    """Return a digest of the Python code that a training run executes.

    Results with the same digest were made by the same code; a difference in the digest need not
    affect results.
    """
    return digest_of(source_folders())


def source_folders() -> list[Path]:
    """Return the folders of those PACKAGES that are installed."""
    specs = [find_spec(name) for name in PACKAGES]
    return [
        Path(folder) for spec in specs if spec for folder in spec.submodule_search_locations or ()
    ]


def digest_of(folders: Iterable[Path]) -> str:
    """Return a digest of names and contents of the Python files in some folders: 12 hex digits."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.relative_to(folder.parent).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
