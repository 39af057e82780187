"""Tables from committed result files: means over seeds, beside the paper's figures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from negsamp_models.datasets import DatasetError
from negsamp_models.records import RunResult

__all__ = ["Row", "describe_sampler", "markdown", "read_results", "result_files", "summarise"]

_OF_A_SEED = ("seed", "sha256")
METRICS = ("HR@5", "NDCG@5", "HR@10", "NDCG@10")


@dataclass(frozen=True)
class Row:
    """One line: runs that differ in nothing but the seed.

    Attributes
    ----------
    dataset, negatives : str
        Name of the data set, and what the sampler was.
    means, deviations : dict of str to float
        Of the test metrics in percent, over seeds; the sample standard deviation is 0 for one.
    num_seeds : int
        Number of runs.
    seconds_per_epoch : float
        Mean over the runs.
    """

    dataset: str
    negatives: str
    means: dict[str, float]
    deviations: dict[str, float]
    num_seeds: int
    seconds_per_epoch: float


def read_results(paths: Iterable[Path]) -> list[RunResult]:
    """Read result files; a folder stands for the ``result.json`` and ``seed*.json`` below it.

    Raises
    ------
    DatasetError
        If there is none, or a file is not a run's result.
    """
    files = [file for path in paths for file in (result_files(path) if path.is_dir() else [path])]
    if not files:
        raise DatasetError("no result.json or seed*.json found; make one with: negsamp train")
    results = []
    for file in files:
        try:
            results.append(RunResult.from_json(json.loads(file.read_text(encoding="utf-8"))))
        except (ValueError, TypeError) as error:
            raise DatasetError(f"{file} is not the result of a run: {error}") from error
    return results


def describe_sampler(config: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Return a short name, such as ``GenNi alpha=2.5 beta=1``."""
    words = {"genni": "GenNi"}.get(config["sampler"], config["sampler"])
    parts = ["S3-Rec", words] if settings.get("model") == "s3rec" else [words]
    for name in ("gamma", "alpha", "beta"):
        if name in config:
            value = config[name]
            parts.append(
                f"{name}={_schedule(value) if isinstance(value, Mapping) else f'{value:g}'}"
            )
    if config.get("candidates", "batch") != "batch":
        parts.append(f"candidates={config['candidates']}")
    if config.get("num_negatives", 1) != 1:
        parts.append(f"k={config['num_negatives']}")
    if settings.get("leak_held_out"):
        parts.append("LEAKS validation and test items into the exclusion")
    elif settings["exclude_interactions"]:
        parts.append("all training items excluded")
    if settings["loss"] != "nce":
        parts.append(settings["loss"])
    return " ".join(parts)


def summarise(results: Iterable[RunResult]) -> list[Row]:
    """Group runs that differ in nothing but the seed, by data set and rising NDCG@10."""
    groups: dict[str, list[RunResult]] = {}
    for result in results:
        settings = {k: v for k, v in result.settings.items() if k not in ("seed", "device")}
        origin = {k: v for k, v in (result.pretraining or {}).items() if k not in _OF_A_SEED}
        sampler = {"num_negatives": 1, **result.sampler}
        key = json.dumps([result.dataset, sampler, settings, origin], sort_keys=True)
        groups.setdefault(key, []).append(result)
    rows = [_row(runs) for runs in groups.values()]
    return sorted(rows, key=lambda row: (row.dataset, row.means["NDCG@10"]))


def markdown(rows: Iterable[Row]) -> str:
    """Return a Markdown table."""
    lines = [
        f"| data | negatives | {' | '.join(METRICS)} | seeds | s / epoch |",
        f"| --- | --- |{' ---: |' * (len(METRICS) + 2)}",
    ]
    for row in rows:
        cells = [
            f"{row.means[metric]:.2f}"
            + (f" ± {row.deviations[metric]:.2f}" if row.num_seeds > 1 else "")
            for metric in METRICS
        ]
        lines.append(
            f"| {row.dataset} | {row.negatives} | {' | '.join(cells)} | {row.num_seeds} | "
            f"{row.seconds_per_epoch:.1f} |"
        )
    return "\n".join(lines) + "\n"


def result_files(folder: Path) -> list[Path]:
    """Return the files ``result.json`` and ``seed*.json`` in and below a folder, in order."""
    return sorted([*folder.rglob("result.json"), *folder.rglob("seed*.json")])


def _row(runs: list[RunResult]) -> Row:
    values = {metric: [run.test[metric] for run in runs] for metric in METRICS}
    ddof = 1 if len(runs) > 1 else 0
    return Row(
        dataset=runs[0].dataset,
        negatives=describe_sampler(runs[0].sampler, runs[0].settings),
        means={metric: float(np.mean(each)) for metric, each in values.items()},
        deviations={metric: float(np.std(each, ddof=ddof)) for metric, each in values.items()},
        num_seeds=len({run.settings["seed"] for run in runs}),
        seconds_per_epoch=float(np.mean([run.seconds_per_epoch for run in runs])),
    )


def _schedule(config: Mapping[str, Any]) -> str:
    arguments = ", ".join(f"{k}={v:g}" for k, v in config.items() if k != "schedule")
    return f"{config['schedule']}({arguments})"
