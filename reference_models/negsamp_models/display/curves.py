"""Read the epochs of runs, finished or not, from their folders."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from negsamp_models.display.names import describe_sampler
from negsamp_models.records import EpochRecord, ResultError
from negsamp_models.records.reading import files_at, result_files

__all__ = ["Curves", "labelled", "read_curves"]

LOG = "log.jsonl"


@dataclass(frozen=True)
class Curves:
    """The epochs of one run.

    Attributes
    ----------
    file : Path
        Result file or log of the run.
    dataset, negatives : str
        Name of the data set, and of the sampler, see `describe_sampler`.
    seed : int
        Seed of the run.
    records : list of EpochRecord
        The finished epochs.
    """

    file: Path
    dataset: str
    negatives: str
    seed: int
    records: list[EpochRecord]


def read_curves(paths: Iterable[str | Path]) -> list[Curves]:
    """Read the results of finished runs, and the logs of unfinished ones.

    Parameters
    ----------
    paths : iterable of str or Path
        Files, or folders: of these, all results in and below them, and each ``log.jsonl`` without a
        ``result.json`` beside it.

    Raises
    ------
    ResultError
        If no run has an epoch, or a file is missing or not of a run.
    """
    runs = [run for run in map(_read, files_at(paths, _below)) if run.records]
    if not runs:
        raise ResultError(
            f"no epoch of a run found: no result.json, seed*.json or {LOG}; make one with: "
            "negsamp train"
        )
    return runs


def labelled(runs: Iterable[Curves]) -> dict[str, list[EpochRecord]]:
    """Label each run by its sampler, and by more where that is not unique.

    The data set is added if there are several, then, until labels are unique, the seed and the
    folder or file.
    """
    runs = list(runs)
    places = _places([run.file for run in runs])
    parts = [
        (run.dataset, f"seed {run.seed}", place) for run, place in zip(runs, places, strict=True)
    ]
    labels = [run.negatives for run in runs]
    for place, each in enumerate(zip(*parts, strict=True)):
        several = len(set(each)) > 1
        if several and (place == 0 or len(set(labels)) < len(labels)):
            labels = [f"{label}, {part}" for label, part in zip(labels, each, strict=True)]
    return {label: run.records for label, run in zip(labels, runs, strict=True)}


def _places(files: Sequence[Path]) -> list[str]:
    """Return the paths of files without their common beginning and end.

    File names are omitted if the folders are distinct.
    """
    folders = [file.parent for file in files]
    paths = folders if len(set(folders)) == len(files) else files
    parts = [path.parts for path in paths]
    while min(map(len, parts)) > 1 and len({each[0] for each in parts}) == 1:
        parts = [each[1:] for each in parts]
    while min(map(len, parts)) > 1 and len({each[-1] for each in parts}) == 1:
        parts = [each[:-1] for each in parts]
    return ["/".join(each) for each in parts]


def _below(folder: Path) -> list[Path]:
    logs = (log for log in folder.rglob(LOG) if not (log.parent / "result.json").exists())
    return sorted([*result_files(folder), *logs])


def _read(file: Path) -> Curves:
    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".jsonl":
            run, *epochs = (json.loads(line) for line in _whole_lines(text))
        else:
            run = json.loads(text)
            epochs = run["epochs"]
        return Curves(
            file=file,
            dataset=run["dataset"],
            negatives=describe_sampler(run["sampler"], run["settings"]),
            seed=run["settings"]["seed"],
            records=[_record(epoch) for epoch in epochs],
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ResultError(f"{file} is not the log or result of a run: {error}") from error


def _whole_lines(text: str) -> list[str]:
    """Return the complete lines; a run that was killed may leave a partial one."""
    return text.split("\n")[:-1]


def _record(content: dict[str, Any]) -> EpochRecord:
    names = {each.name for each in fields(EpochRecord)}
    return EpochRecord(**{name: value for name, value in content.items() if name in names})
