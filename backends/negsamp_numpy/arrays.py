"""Conversion to NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from negsamp import validation

__all__ = ["to_numpy"]


def to_numpy(values: Any) -> npt.NDArray[Any]:
    """Return a NumPy array, or raise InvalidInputError where none can be made.

    A score callable may return a tensor, whose conversion may raise, as where it requires a
    gradient.
    """
    try:
        return np.asarray(values)
    except (RuntimeError, TypeError, ValueError) as error:
        raise validation.no_array(values, error) from None
