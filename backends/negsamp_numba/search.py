"""Search in ascending lists."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from negsamp_numba.compiling import part

__all__ = ["first_above"]

_FEW: Final = 32
"""Length up to which a vectorised linear scan is faster than bisection."""


@part()
def first_above(
    ascending: npt.NDArray[Any], first: int, last: int, number: float, step: int = 0
) -> int:
    """Return the first index in [first, last) with a value above `number`, or `last`.

    The value at an index is ``ascending[index] - step * index``; these values must ascend too.
    Bisection down to a few elements, then a scan that counts those not above `number`.
    """
    left = last - first
    while left > _FEW:
        half = (left + 1) >> 1
        at = first + half - 1
        first += half if ascending[at] - step * at <= number else 0
        left -= half
    passed = 0
    for index in range(np.uint64(first), np.uint64(first + left)):
        passed += ascending[index] - step * np.int64(index) <= number
    return first + passed
