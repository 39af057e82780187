"""How far a metric moves with the seed alone, learnt from all runs that have several seeds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from statistics import fmean

from negsamp_models.records import RunResult
from negsamp_models.reproduction.planned import PlannedRun

__all__ = ["LEAST", "VALIDATION", "SeedNoise"]

VALIDATION = "validation "
LEAST = 0.03
"""Deviation over seeds, of the mean, that is assumed at least: a few runs may agree by luck."""


@dataclass(frozen=True)
class SeedNoise:
    """The deviation over seeds of each metric, as a part of its mean.

    Two seeds say little of a deviation, and one says nothing. All configurations with two seeds or
    more are therefore taken together: the root of the mean of ``((x - mean) / mean)**2``, each
    configuration with as many degrees of freedom as it has seeds, less one.

    Attributes
    ----------
    relative : mapping of str to float
        By metric, "validation METRIC" for those of validation.
    """

    relative: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, results: Iterable[RunResult]) -> SeedNoise:
        """Learn it from results."""
        seeds: dict[str, list[dict[str, float]]] = defaultdict(list)
        for result in results:
            run = PlannedRun.of(result)
            whatever_seed = replace(run, settings=replace(run.settings, seed=0))
            validation = {f"{VALIDATION}{name}": value for name, value in result.validation.items()}
            seeds[whatever_seed.key].append({**result.test, **validation})
        squares: dict[str, float] = defaultdict(float)
        freedom: dict[str, int] = defaultdict(int)
        for each in seeds.values():
            for metric in each[0] if len(each) > 1 else ():
                values = [metrics[metric] for metrics in each]
                if (mean := fmean(values)) > 0:
                    squares[metric] += sum((value / mean - 1) ** 2 for value in values)
                    freedom[metric] += len(values) - 1
        return cls({name: math.sqrt(squares[name] / freedom[name]) for name in squares})

    def error(self, metric: str, mean: float, num_seeds: int) -> float:
        """Return the standard error of a mean over so many seeds."""
        return max(self.relative.get(metric, 0.0), LEAST) * abs(mean) / math.sqrt(num_seeds)
