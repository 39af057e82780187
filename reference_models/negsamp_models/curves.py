"""The epochs of runs, done or not, as their folders hold them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from negsamp_models.datasets import DatasetError
from negsamp_models.records import EpochRecord
from negsamp_models.tables import describe_sampler

__all__ = ["Curves", "labelled", "read_curves"]

RESULT, LOG = "result.json", "log.jsonl"


@dataclass(frozen=True)
class Curves:
    """The epochs of one run.

    Attributes
    ----------
    folder : Path
        Where it lies.
    dataset, negatives : str
        Name of the data set, and what the sampler is.
    seed : int
        Of the run.
    records : list of EpochRecord
        Those that are done.
    """

    folder: Path
    dataset: str
    negatives: str
    seed: int
    records: list[EpochRecord]


def read_curves(folders: Iterable[Path]) -> list[Curves]:
    """Read all runs in some folders and below them: ``log.jsonl``, or ``result.json`` if none.

    Raises
    ------
    DatasetError
        If there is no run, or a file is not a run's.
    """
    runs = [
        _read(file)
        for folder in folders
        for file in sorted(
            next(path for path in (found / LOG, found / RESULT) if path.exists())
            for found in {path.parent for name in (RESULT, LOG) for path in folder.rglob(name)}
        )
    ]
    if not any(run.records for run in runs):
        raise DatasetError(
            f"no epoch of a run found: neither {LOG} nor {RESULT}; make one with: negsamp train"
        )
    return [run for run in runs if run.records]


def labelled(runs: Iterable[Curves]) -> dict[str, list[EpochRecord]]:
    """Name each run as shortly as tells them apart: negatives, then data set, seed and folder."""
    runs = list(runs)
    parts = [[run.negatives, run.dataset, f"seed {run.seed}", str(run.folder)] for run in runs]
    for number in range(1, 5):
        labels = [", ".join(each[:number]) for each in parts]
        if len(set(labels)) == len(labels):
            break
    return {label: run.records for label, run in zip(labels, runs, strict=True)}


def _read(file: Path) -> Curves:
    try:
        lines = file.read_text(encoding="utf-8")
        if file.name == RESULT:
            run = json.loads(lines)
            epochs = run["epochs"]
        else:
            run, *epochs = (json.loads(line) for line in _whole_lines(lines))
        return Curves(
            folder=file.parent,
            dataset=run["dataset"],
            negatives=describe_sampler(run["sampler"], run["settings"]),
            seed=run["settings"]["seed"],
            records=[_record(epoch) for epoch in epochs],
        )
    except (ValueError, TypeError, KeyError) as error:
        raise DatasetError(f"{file} is not the log or result of a run: {error}") from error


def _whole_lines(text: str) -> list[str]:
    """Return the lines that have an end; a run that was killed may leave half a line."""
    return text.split("\n")[:-1]


def _record(content: dict[str, Any]) -> EpochRecord:
    names = {each.name for each in fields(EpochRecord)}
    return EpochRecord(**{name: value for name, value in content.items() if name in names})
