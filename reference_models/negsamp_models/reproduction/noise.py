"""Noise of metrics due to the seed, estimated from all configurations with several seeds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean

from negsamp_models.records import RunResult
from negsamp_models.reproduction.planned import PlannedRun
from negsamp_models.reproduction.seeds import configuration

__all__ = ["EPOCHS", "MIN_DEVIATION", "MIN_FREEDOM", "VALIDATION", "SeedNoise"]

VALIDATION = "validation "
EPOCHS = "best epoch"
"""The epoch, counted from 1, whose weights were kept: how long a run improves."""
MIN_FREEDOM = 10
"""Degrees of freedom from which on the measured deviation is used as it is."""
MIN_DEVIATION = 0.03
"""Least deviation, relative to the mean, assumed with fewer: a few seeds may agree by chance."""


@dataclass(frozen=True)
class SeedNoise:
    """The standard deviation over seeds of each metric, relative to its mean.

    Two seeds determine a deviation poorly, and one not at all. All configurations with two or more
    seeds are therefore pooled: the root of the mean of ``((x - mean) / mean)**2``, each
    configuration with as many degrees of freedom as it has seeds, less one.

    Attributes
    ----------
    relative : mapping of str to float
        Relative deviation by metric; validation metrics are named "validation METRIC".
    freedom : mapping of str to int
        Degrees of freedom, by metric.
    num_configurations : int
        Number of configurations with several seeds.
    """

    relative: Mapping[str, float] = field(default_factory=dict)
    freedom: Mapping[str, int] = field(default_factory=dict)
    num_configurations: int = 0

    @classmethod
    def of(cls, results: Iterable[RunResult]) -> SeedNoise:
        """Estimate the noise from results."""
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
        """Whether there are enough degrees of freedom to use the measured deviation as it is."""
        return self.freedom.get(metric, 0) >= MIN_FREEDOM

    def deviation(self, metric: str) -> float:
        """Return the standard deviation over seeds, relative to the mean."""
        measured = self.relative.get(metric, 0.0)
        return measured if self.is_measured(metric) else max(measured, MIN_DEVIATION)

    def error(self, metric: str, mean: float, num_seeds: int) -> float:
        """Return the standard error of a mean over `num_seeds` seeds."""
        return self.deviation(metric) * abs(mean) / math.sqrt(num_seeds)

    def width(self, metric: str) -> float:
        """Return the standard errors by which two means must differ, at the 5 % level."""
        if not self.is_measured(metric):
            return 2.0
        from scipy import stats  # noqa: PLC0415  (slow to load, and needed only for the page)

        return float(stats.t.ppf(0.975, self.freedom[metric]))
