"""Results of runs that were made again: kept beside the new ones, so that nothing is chosen."""

from __future__ import annotations

from pathlib import Path

from negsamp_models.reading import read_result, result_files
from negsamp_models.records import RunResult

__all__ = ["keep_replaced", "replaced_below"]

_PREFIX = "replaced-"


def keep_replaced(file: Path) -> None:
    """Set aside what stands where a result is about to be written, if there is something.

    What was set aside before stays: the first result of a run is the one that is kept.
    """
    aside = file.with_name(f"{_PREFIX}{file.name}")
    if file.exists() and not aside.exists():
        file.replace(aside)


def replaced_below(folder: Path) -> list[RunResult]:
    """Read what was set aside below a folder."""
    return [read_result(file) for file in result_files(folder, _PREFIX)]
