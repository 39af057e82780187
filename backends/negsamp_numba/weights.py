"""Cumulative weights of a catalogue, with a guide table that narrows searches in them.

C[p] is the sum of the weights before position p. If every weight is 1, C[p] = p and the arrays are
None: kernels are then compiled without the branch that reads them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from negsamp_numba.compiling import part

__all__ = ["Weights", "position_of", "weight_before", "weights_of"]

Integers = npt.NDArray[np.int64]


class Weights(NamedTuple):
    """Integer weights of the items, as kernels read them.

    Attributes
    ----------
    cumulative : int64, shape (num_items + 1,), or None
        C.
    guide : int32, shape (num_cells + 1,), or None
        The integers below the total are divided into cells of ``2**shift``; for the first integer i
        of each cell, the position p with C[p] <= i < C[p + 1]. A search is confined to the
        positions of one cell, and its result does not change.
    shift : int
        Binary logarithm of the size of a cell.
    """

    cumulative: Integers | None
    guide: npt.NDArray[np.int32] | None
    shift: int


def weights_of(cumulative: Integers | None) -> Weights:
    """Build the weights of a catalogue from C; None if every weight is 1."""
    if cumulative is None:
        return Weights(None, None, 0)
    total, last = int(cumulative[-1]), len(cumulative) - 2
    shift = max(total.bit_length() - (2 * last).bit_length(), 0)
    firsts = np.arange((total >> shift) + 1) << shift
    guide = np.searchsorted(cumulative, firsts, side="right") - 1
    guide = np.append(guide, last).clip(max=last)
    return Weights(cumulative, guide.astype(np.int32), shift)


@part()
def weight_before(cumulative: Integers | None, position: int) -> int:
    """Return C[position]."""
    if cumulative is None:
        return position
    return cumulative[position]  # type: ignore[no-any-return]


@part()
def position_of(
    cumulative: Integers | None, guide: npt.NDArray[np.int32] | None, shift: int, integer: int
) -> int:
    """Return the position p with C[p] <= integer < C[p + 1]."""
    if cumulative is None or guide is None:
        return integer
    cell = integer >> shift
    first, last = np.int64(guide[cell]), np.int64(guide[cell + 1])
    while first < last:
        middle = (first + last + 1) >> 1
        if cumulative[middle] <= integer:
            first = middle
        else:
            last = middle - 1
    return int(first)
