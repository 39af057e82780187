"""How far a metric moves with the seed alone, learnt from all runs that have several seeds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean

from negsamp_models.records import RunResult
from negsamp_models.reproduction.planned import PlannedRun
from negsamp_models.reproduction.seeds import configuration

__all__ = ["ENOUGH", "EPOCHS", "LEAST", "VALIDATION", "SeedNoise"]

VALIDATION = "validation "
EPOCHS = "best epoch"
"""The epoch, counted from 1, whose weights were kept: for how long a run learns."""
ENOUGH = 10
"""Degrees of freedom from which on the deviation is taken as it is measured."""
LEAST = 0.03
"""Deviation over seeds, of the mean, that is assumed at least before: a few may agree by luck."""


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
    freedom : mapping of str to int
        Degrees of freedom, by metric.
    num_configurations : int
        How many have several seeds.
    """

    relative: Mapping[str, float] = field(default_factory=dict)
    freedom: Mapping[str, int] = field(default_factory=dict)
    num_configurations: int = 0

    @classmethod
    def of(cls, results: Iterable[RunResult]) -> SeedNoise:
        """Learn it from results."""
        seeds: dict[str, list[dict[str, float]]] = defaultdict(list)
        for result in results:
            validation = {f"{VALIDATION}{name}": value for name, value in result.validation.items()}
            metrics = {**result.test, **validation, EPOCHS: result.best_epoch + 1}
            seeds[configuration(PlannedRun.of(result))].append(metrics)
        several = [each for each in seeds.values() if len(each) > 1]
        squares: dict[str, float] = defaultdict(float)
        freedom: dict[str, int] = defaultdict(int)
        for each in several:
            for metric in each[0]:
                values = [metrics[metric] for metrics in each]
                if (mean := fmean(values)) > 0:
                    squares[metric] += sum((value / mean - 1) ** 2 for value in values)
                    freedom[metric] += len(values) - 1
        relative = {name: math.sqrt(squares[name] / freedom[name]) for name in squares}
        return cls(relative, freedom, len(several))

    def is_measured(self, metric: str) -> bool:
        """Whether there are enough degrees of freedom to take the deviation as it is measured."""
        return self.freedom.get(metric, 0) >= ENOUGH

    def deviation(self, metric: str) -> float:
        """Return the deviation over seeds as a part of the mean."""
        measured = self.relative.get(metric, 0.0)
        return measured if self.is_measured(metric) else max(measured, LEAST)

    def error(self, metric: str, mean: float, num_seeds: int) -> float:
        """Return the standard error of a mean over so many seeds."""
        return self.deviation(metric) * abs(mean) / math.sqrt(num_seeds)

    def width(self, metric: str) -> float:
        """Return how many standard errors apart two means are told: one in twenty by chance."""
        if not self.is_measured(metric):
            return 2.0
        from scipy import stats  # noqa: PLC0415  (slow to load, and the page alone needs it)

        return float(stats.t.ppf(0.975, self.freedom[metric]))
