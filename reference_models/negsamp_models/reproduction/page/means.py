"""Means that are uncertain, and whether two of them differ."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

__all__ = ["ASSUMED", "Pool", "Variance", "Verdict", "apart", "combined", "error_of"]

Verdict = Literal["inside", "above", "below"]


class Pool(NamedTuple):
    """Where a standard deviation is from.

    Attributes
    ----------
    name : str
    freedom : float
        Degrees of freedom of the estimate; infinite for one that is assumed.
    """

    name: str
    freedom: float


ASSUMED = Pool("assumed", math.inf)

Variance = Mapping[Pool, float]
"""The squared standard error of a mean, by the pool of its deviation."""


def apart(one: float, other: float, *variances: Variance) -> Verdict:
    """Compare two means: "inside" if they do not differ at the 5 % level, two-sided.

    The test is Student's t with the degrees of freedom of Welch and Satterthwaite. Variances from
    one pool are not independent estimates: they are added before their degrees of freedom count.
    Swapping the means swaps "above" and "below", and nothing else.
    """
    total = combined((1.0, each) for each in variances)
    if abs(one - other) <= _width(total) * error_of(total):
        return "inside"
    return "above" if one > other else "below"


def error_of(variance: Variance) -> float:
    """Return the standard error."""
    return math.sqrt(sum(variance.values()))


def combined(terms: Iterable[tuple[float, Variance]]) -> Variance:
    """Return the variance of a weighted sum of independent means, from each weight and variance."""
    total: Counter[Pool] = Counter()
    for weight, variance in terms:
        total.update({pool: weight**2 * value for pool, value in variance.items()})
    return dict(total)


def _width(variance: Variance) -> float:
    """Return the number of standard errors that cover 95 % of the differences."""
    from scipy import stats  # noqa: PLC0415  (slow to load, and needed only for the page)

    spread = sum(value**2 / pool.freedom for pool, value in variance.items())
    freedom = sum(variance.values()) ** 2 / spread if spread else math.inf
    return float(stats.t.ppf(0.975, freedom))
