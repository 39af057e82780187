"""Markdown tables of result files: means and deviations over seeds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from negsamp_models.records import RunResult
from negsamp_models.settings import (
    PretrainingSettings,
    changed_settings,
    default_settings,
    published_epochs,
)
from negsamp_models.wording import plural

__all__ = ["METRICS", "Row", "describe_run", "describe_sampler", "markdown", "summarise"]

_BY_SEED = ("seed", "sha256", "attributes")
_IN_WORDS = ("model", "loss", "exclude_interactions", "leak_held_out")
_NAMED = {"sampler", "gamma", "alpha", "beta", "candidates", "num_negatives"}
_OF_PRETRAINING = ("batch_size", "learning_rate", "mask_probability", "weights", "dropout")
METRICS = ("HR@5", "NDCG@5", "HR@10", "NDCG@10")
"""The test metrics that tables of runs show."""


@dataclass(frozen=True)
class Row:
    """One row: runs that differ only in the seed.

    Attributes
    ----------
    dataset, configuration : str
        Name of the data set, and a description of the sampler and settings.
    means, deviations : dict of str to float
        Of the test metrics in percent, over seeds; the sample standard deviation is 0 for one.
    num_seeds : int
        Number of runs.
    seconds_per_epoch : float or None
        Mean over the runs; None unless all have the same version of the code, device and number of
        threads.
    """

    dataset: str
    configuration: str
    means: dict[str, float]
    deviations: dict[str, float]
    num_seeds: int
    seconds_per_epoch: float | None


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
    parts += [f"{name}={config[name]}" for name in sorted(config.keys() - _NAMED)]
    if settings.get("leak_held_out"):
        parts.append("LEAKS validation and test items into the exclusion")
    elif settings["exclude_interactions"]:
        parts.append("all training items excluded")
    if settings["loss"] != "nce":
        parts.append(settings["loss"])
    return " ".join(parts)


def describe_run(result: RunResult) -> str:
    """Describe a run: its sampler, and all settings that differ from the defaults."""
    parts = [describe_sampler(result.sampler, result.settings), *_pretraining(result)]
    changed = changed_settings(result.settings, default_settings(result.dataset))
    parts += [f"{name}={value:g}" for name, value in changed.items() if name not in _IN_WORDS]
    return " ".join(parts)


def summarise(results: Iterable[RunResult]) -> list[Row]:
    """Group runs that differ only in the seed; rows by data set, then ascending NDCG@10."""
    results = list(results)
    known: dict[str, set[str]] = {}
    for result in results:
        known.setdefault(result.dataset, set()).update(filter(None, [result.data_sha256]))
    groups: dict[str, list[RunResult]] = {}
    for result in results:
        settings = {k: v for k, v in result.settings.items() if k not in ("seed", "device")}
        origin = {k: v for k, v in (result.pretraining or {}).items() if k not in _BY_SEED}
        sampler = {"num_negatives": 1, **result.sampler}
        data = result.data_sha256 or "".join(known[result.dataset])  # older results lack the digest
        key = json.dumps([result.dataset, data, sampler, settings, origin], sort_keys=True)
        groups.setdefault(key, []).append(result)
    rows = [_row(runs) for runs in groups.values()]
    return sorted(rows, key=lambda row: (row.dataset, row.means["NDCG@10"]))


def markdown(rows: Iterable[Row], times: bool = True) -> str:
    """Return a Markdown table, with or without the seconds per epoch."""
    names = [*METRICS, "seeds", *(["s / epoch"] if times else [])]
    lines = [
        f"| data | configuration | {' | '.join(names)} |",
        f"| --- | --- |{' ---: |' * len(names)}",
    ]
    for row in rows:
        cells = [
            f"{row.means[metric]:.2f}"
            + (f" ± {row.deviations[metric]:.2f}" if row.num_seeds > 1 else "")
            for metric in METRICS
        ]
        cells.append(str(row.num_seeds))
        if times:
            cells.append("-" if row.seconds_per_epoch is None else f"{row.seconds_per_epoch:.1f}")
        lines.append(f"| {row.dataset} | {row.configuration} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _row(runs: list[RunResult]) -> Row:
    values = {metric: [run.test[metric] for run in runs] for metric in METRICS}
    ddof = 1 if len(runs) > 1 else 0
    timed = {
        (about.get("source", place), about.get("device"), about.get("threads"))
        for place, about in enumerate(run.environment for run in runs)
    }
    seconds = float(np.mean([run.seconds_per_epoch for run in runs]))
    return Row(
        dataset=runs[0].dataset,
        configuration=describe_run(runs[0]),
        means={metric: float(np.mean(each)) for metric, each in values.items()},
        deviations={metric: float(np.std(each, ddof=ddof)) for metric, each in values.items()},
        num_seeds=len(runs),
        seconds_per_epoch=seconds if len(timed) == 1 else None,
    )


def _pretraining(result: RunResult) -> Iterator[str]:
    """Yield how a run's pre-training differs from that of the authors of S3-Rec, if it does."""
    if (origin := result.pretraining) is None:
        return
    words = []
    if origin["epochs"] != published_epochs(result.dataset):
        words.append(f"for {plural(origin['epochs'], 'epoch')}")
    plain = PretrainingSettings(dropout=result.settings["dropout"])
    usual = {"sampler": {"sampler": "uniform"}} | {
        name: value for name, value in plain.decisive.items() if name in _OF_PRETRAINING
    }
    changed = {name: origin[name] for name in usual if origin.get(name, usual[name]) != usual[name]}
    if changed:
        words.append(f"with {_arguments(changed)}")
    if words:
        yield " ".join(["pre-trained", *words])


def _arguments(config: Mapping[str, Any]) -> str:
    """Format names and values; those of a nested mapping in brackets."""
    return ", ".join(
        f"{name}=({_arguments(value)})" if isinstance(value, Mapping) else f"{name}={value}"
        for name, value in config.items()
    )


def _schedule(config: Mapping[str, Any]) -> str:
    arguments = ", ".join(f"{k}={v:g}" for k, v in config.items() if k != "schedule")
    return f"{config['schedule']}({arguments})"
