"""How likely it is that a random subset of the catalogue leaves a row too little to draw from."""

from __future__ import annotations

from math import exp, lgamma

__all__ = ["chance_of_too_few"]


def chance_of_too_few(
    num_items: int, num_excluded: int, num_candidates: int, num_wanted: int
) -> float:
    """Return the probability that a row finds fewer admissible items than it wants.

    Of `num_items` items the row may not draw `num_excluded`. Among `num_candidates` distinct items
    that are chosen uniformly, the number of those it may draw has the hypergeometric law; this is
    its lower tail, P(number < num_wanted).

    Examples
    --------
    >>> round(chance_of_too_few(num_items=3, num_excluded=2, num_candidates=2, num_wanted=1), 6)
    0.333333
    """
    admissible = num_items - num_excluded
    chance = 0.0
    for number in range(min(num_wanted, num_candidates + 1)):
        left = num_candidates - number
        if number <= admissible and left <= num_excluded:
            ways = _log_choose(admissible, number) + _log_choose(num_excluded, left)
            chance += exp(ways - _log_choose(num_items, num_candidates))
    return min(chance, 1.0)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
