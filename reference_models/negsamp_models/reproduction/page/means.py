"""Means that are uncertain, and whether two of them differ."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

__all__ = [
    "ASSUMED",
    "LEVEL",
    "Pool",
    "Variance",
    "Verdict",
    "apart",
    "chance",
    "combined",
    "error_of",
]

Verdict = Literal["inside", "above", "below"]

LEVEL = 0.05
"""Level of a two-sided test: how often it finds a difference where there is none."""


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

    Swapping the means swaps "above" and "below", and nothing else.
    """
    if chance(one, other, *variances) >= LEVEL:
        return "inside"
    return "above" if one > other else "below"


def chance(one: float, other: float, *variances: Variance) -> float:
    """Return the p-value of two means: how likely equal ones differ by as much, in any direction.

    The test is Student's t with the degrees of freedom of Welch and Satterthwaite. Variances from
    one pool are not independent estimates: they are added before their degrees of freedom count.
    """
    from scipy import stats  # noqa: PLC0415  (slow to load, and needed only for the page)

    total = combined((1.0, each) for each in variances)
    if not (error := error_of(total)):
        return float(one == other)
    return 2 * float(stats.t.sf(abs(one - other) / error, _freedom(total)))


def error_of(variance: Variance) -> float:
    """Return the standard error."""
    return math.sqrt(sum(variance.values()))


def combined(terms: Iterable[tuple[float, Variance]]) -> Variance:
    """Return the variance of a weighted sum of independent means, from each weight and variance."""
    total: Counter[Pool] = Counter()
    for weight, variance in terms:
        total.update({pool: weight**2 * value for pool, value in variance.items()})
    return dict(total)


def _freedom(variance: Variance) -> float:
    """Return the degrees of freedom of a variance, by Welch and Satterthwaite."""
    spread = sum(value**2 / pool.freedom for pool, value in variance.items())
    return sum(variance.values()) ** 2 / spread if spread else math.inf
