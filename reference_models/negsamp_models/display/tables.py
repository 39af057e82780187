"""Markdown tables of result files: means and deviations over seeds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from negsamp_models.display.names import describe_run
from negsamp_models.records import RunResult

__all__ = ["METRICS", "Row", "markdown", "summarise"]

_BY_SEED = ("seed", "sha256", "attributes")
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
