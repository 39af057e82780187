"""Former results of repeated runs, kept beside the new ones so that none is hidden."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from negsamp_models.records import RunResult
from negsamp_models.records.reading import read_result, result_files

__all__ = ["keep_replaced", "replaced_below"]


def keep_replaced(file: Path) -> None:
    """Rename an existing result before a new one is written in its place.

    The first result in ``seed0.json`` becomes ``replaced1-seed0.json``, the next
    ``replaced2-seed0.json``, and so on.
    """
    if file.exists():
        names = (file.with_name(f"replaced{number}-{file.name}") for number in count(1))
        file.replace(next(name for name in names if not name.exists()))


def replaced_below(folder: Path) -> list[RunResult]:
    """Read the former results below a folder; those of a run are in chronological order."""
    files = result_files(folder, r"replaced\d+-")
    return [read_result(file) for file in sorted(files, key=lambda file: len(file.name))]
