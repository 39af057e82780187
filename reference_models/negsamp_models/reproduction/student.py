"""How many standard errors apart two means are told, where the error itself is an estimate."""

from __future__ import annotations

import math
from functools import cache

__all__ = ["quantile"]


@cache
def quantile(freedom: int, level: float = 0.95) -> float:
    """Return the t within which a variable of Student's law lies with a probability, by bisection.

    Parameters
    ----------
    freedom : int
        Degrees of freedom, at least 1.
    level : float
        The probability of [-t, t].

    References
    ----------
    Abramowitz and Stegun, 26.7.3 and 26.7.4: the law in closed form for whole degrees of freedom.

    Examples
    --------
    >>> f"{quantile(1):.2f} {quantile(15):.2f} {quantile(1000):.2f}"
    '12.71 2.13 1.96'
    """
    low, high = 0.0, math.tan(math.pi / 2 * level) + 1  # one degree has the widest law
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < level else (low, middle)
    return high


def _within(t: float, freedom: int) -> float:
    """Return the probability of [-t, t]."""
    angle = math.atan2(t, math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = 0.0
    for power in range(2 + odd, freedom + 1, 2):
        total += term
        term *= cosine**2 * (power - 1) / power
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
