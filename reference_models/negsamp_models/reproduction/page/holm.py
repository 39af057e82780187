"""Holm's correction for the number of tests."""

from __future__ import annotations

from collections.abc import Sequence

from negsamp_models.reproduction.page.means import LEVEL

__all__ = ["rejected"]


def rejected(chances: Sequence[float]) -> list[bool]:
    """Return which tests reject, so that one of them is wrong in at most 5 % of all cases.

    The smallest of n p-values has to be below 0.05 / n, the next one below 0.05 / (n - 1), and so
    on; the first that is not, and all larger ones, do not reject.

    Parameters
    ----------
    chances : sequence of float
        The p-value of each test.
    """
    rejects = [False] * len(chances)
    for place, test in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        if chances[test] >= LEVEL / (len(chances) - place):
            break
        rejects[test] = True
    return rejects
