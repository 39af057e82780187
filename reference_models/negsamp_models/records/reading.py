"""Find and read the result files of runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from negsamp_models.records.run import ResultError, RunResult
from negsamp_models.records.run_key import key_of

__all__ = ["files_at", "read_by_key", "read_result", "read_results", "result_files"]


_MAKE_AGAIN = "move it away and make the run again"
_NAME_ANOTHER = "leave it out, or name the result.json of a run"


def read_result(file: Path, remedy: str = _MAKE_AGAIN) -> RunResult:
    """Read the result of a run.

    Parameters
    ----------
    file : Path
    remedy : str
        Advice in the error message.

    Raises
    ------
    ResultError
        If the file is not the result of a run; the message names it.
    """
    try:
        return RunResult.from_json(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ResultError(f"{file} is not the result of a run: {error}; {remedy}") from error


def read_results(paths: Iterable[str | Path]) -> list[RunResult]:
    """Read result files, and those in and below folders, see `result_files`.

    Raises
    ------
    ResultError
        If there is none, or as raised by `files_at` and `read_by_key`.
    """
    paths = list(paths)
    files = files_at(paths)
    if not files:
        raise ResultError(
            f"no result.json or seedN.json, N a number, in {', '.join(map(str, paths))}; make one "
            "with: negsamp train"
        )
    return list(read_by_key(files, _NAME_ANOTHER).values())


def read_by_key(files: Iterable[Path], remedy: str = _MAKE_AGAIN) -> dict[str, RunResult]:
    """Read result files, each once, by the key of their run; `remedy` is that of `read_result`.

    Raises
    ------
    ResultError
        If a file is not the result of a run, or two are of the same run; the message names them.
    """
    results: dict[str, RunResult] = {}
    read: dict[str, Path] = {}
    for file in {file.resolve(): file for file in files}.values():
        result = read_result(file, remedy)
        key = key_of(result.dataset, result.sampler, result.settings, result.pretraining)
        if key in read:
            digests = {result.data_sha256, results[key].data_sha256} - {None}
            data = f" on different data, both called {result.dataset}" if len(digests) > 1 else ""
            raise ResultError(
                f"{read[key]} and {file} are results of the same run{data}: remove one of them"
            )
        results[key], read[key] = result, file
    return results


def files_at(
    paths: Iterable[str | Path], below: Callable[[Path], Iterable[Path]] | None = None
) -> list[Path]:
    """Expand each folder to the files that `below` finds, by default `result_files`.

    Raises
    ------
    ResultError
        If a file or folder is missing.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise ResultError(f"{path} is missing: name the folder or the result.json of a run")
        files += (below or result_files)(path) if path.is_dir() else [path]
    return files


def result_files(folder: Path, prefix: str = "") -> list[Path]:
    """Return the files ``result.json`` and ``seedN.json``, N a number, in and below a folder.

    `prefix` is a regular expression that has to precede these names.
    """
    name = re.compile(rf"{prefix}(result|seed\d+)\.json", re.ASCII)
    return sorted(file for file in folder.rglob("*.json") if name.fullmatch(file.name))
