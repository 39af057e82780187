"""Result files of runs, read in one way by all who want them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from negsamp_models.datasets import DatasetError
from negsamp_models.records import RunResult

__all__ = ["read_result", "read_results", "result_files"]


def read_result(file: Path) -> RunResult:
    """Read the result of a run.

    Raises
    ------
    DatasetError
        If the file is none; it is named.
    """
    try:
        return RunResult.from_json(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise DatasetError(
            f"{file} is not the result of a run: {error}; move it away, and the run can be made "
            "again"
        ) from error


def read_results(paths: Iterable[Path]) -> list[RunResult]:
    """Read result files; a folder stands for those in and below it, see `result_files`.

    Raises
    ------
    DatasetError
        If there is none, or a file is not a run's result.
    """
    files = [file for path in paths for file in (result_files(path) if path.is_dir() else [path])]
    if not files:
        raise DatasetError("no result.json or seed*.json found; make one with: negsamp train")
    return [read_result(file) for file in files]


def result_files(folder: Path) -> list[Path]:
    """Return the files ``result.json`` and ``seedN.json``, N a number, in and below a folder."""
    named = [*folder.rglob("result.json"), *folder.rglob("seed*.json")]
    return sorted(file for file in named if re.fullmatch(r"result|seed\d+", file.stem, re.ASCII))
