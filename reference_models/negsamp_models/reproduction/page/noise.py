"""Noise of metrics due to the seed, estimated from all configurations with several seeds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from negsamp_models.records import RunResult
from negsamp_models.reproduction.metrics import EPOCHS, PASSES, VALIDATION, passes
from negsamp_models.reproduction.page.means import ASSUMED, Pool, Variance
from negsamp_models.reproduction.page.rankings import returns
from negsamp_models.reproduction.planned import PlannedRun
from negsamp_models.reproduction.seeds import configuration

__all__ = [
    "KINDS",
    "MIN_DEVIATION",
    "MIN_FREEDOM",
    "RANKED",
    "Deviation",
    "SeedNoise",
    "kind_of",
]

RANKED = "seen items ranked "
MIN_FREEDOM = 10
"""Degrees of freedom from which on the measured deviation is used as it is."""
MIN_DEVIATION = 0.03
"""Least deviation, relative to the mean, assumed with fewer: a few seeds may agree by chance."""
MIN_DEVIATION_OF_EPOCHS = 0.4
"""The same for epochs and passes, which vary far more between seeds."""
KINDS = ("GenNi", "uniform negatives and popularity")
"""Kinds of negatives with a noise of their own: the second varies more, in the paper as well."""


def kind_of(sampler: Mapping[str, Any]) -> str:
    """Return which of `KINDS` a sampler belongs to; GenNi with alpha = 0 is uniform."""
    return KINDS[0] if sampler["sampler"] == "genni" and sampler.get("alpha") != 0 else KINDS[1]


@dataclass(frozen=True)
class Deviation:
    """A standard deviation over seeds, relative to the mean.

    Attributes
    ----------
    relative : float
    freedom : float
        Degrees of freedom; infinite if the deviation is assumed.
    num_configurations : int
        Number of configurations with several seeds that are pooled.
    """

    relative: float
    freedom: float
    num_configurations: int = 0


@dataclass(frozen=True)
class SeedNoise:
    """The standard deviation over seeds of each metric, by kind of negatives.

    Two seeds determine a deviation poorly, and one not at all. All configurations of a kind with
    two or more seeds are therefore pooled: the root of the mean of ``((x - mean) / mean)**2``, each
    configuration with as many degrees of freedom as it has seeds, less one.

    Attributes
    ----------
    measured : mapping
        Deviation by kind and metric. Validation metrics are named "validation METRIC", and test
        metrics with seen items ranked, of data whose users return to items, "seen items ranked
        METRIC".
    """

    measured: Mapping[tuple[str, str], Deviation] = field(default_factory=dict)

    @classmethod
    def of(cls, results: Iterable[RunResult]) -> SeedNoise:
        """Estimate the noise from results."""
        results = list(results)
        returned = {result.dataset for result in results if returns(result)}
        seeds: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
        for result in results:
            key = kind_of(result.sampler), configuration(PlannedRun.of(result))
            seeds[key].append(_metrics(result, result.dataset in returned))
        values: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
        for (kind, _), each in seeds.items():
            for metric in each[0]:
                found = [metrics[metric] for metrics in each]
                if len(found) > 1 and fmean(found) > 0:
                    values[kind, metric].append(found)
        return cls({key: _pooled(each) for key, each in values.items()})

    def deviation(self, kind: str, metric: str) -> Deviation:
        """Return the deviation to use: the measured one, or the least that is assumed."""
        measured = self.measured.get((kind, metric), Deviation(0.0, 0))
        least = MIN_DEVIATION_OF_EPOCHS if metric in (EPOCHS, PASSES) else MIN_DEVIATION
        if measured.freedom < MIN_FREEDOM and measured.relative < least:
            return Deviation(least, math.inf)
        return measured

    def variance(self, kind: str, metric: str, mean: float, num_seeds: int) -> Variance:
        """Return the squared standard error of a mean over `num_seeds` seeds."""
        known = self.deviation(kind, metric)
        pool = ASSUMED if math.isinf(known.freedom) else Pool(f"{kind}, {metric}", known.freedom)
        return {pool: (known.relative * mean) ** 2 / num_seeds}


def _metrics(result: RunResult, is_ranked: bool) -> dict[str, float]:
    validation = {f"{VALIDATION}{name}": value for name, value in result.validation.items()}
    ranked = {f"{RANKED}{name}": value for name, value in result.test_unmasked.items()}
    shown = ranked if is_ranked else {}
    until_best = {EPOCHS: result.best_epoch + 1, PASSES: passes(result)}
    return {**result.test, **validation, **shown, **until_best}


def _pooled(values: list[list[float]]) -> Deviation:
    """Return the deviation of several configurations, each with its values over seeds."""
    squares = sum((value / fmean(each) - 1) ** 2 for each in values for value in each)
    freedom = sum(len(each) - 1 for each in values)
    return Deviation(math.sqrt(squares / freedom), freedom, len(values))
