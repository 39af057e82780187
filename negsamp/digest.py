"""Fingerprints of arrays that are too long to store in a state."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["digest_of"]


def digest_of(*arrays: npt.NDArray[Any]) -> str:
    """Return 16 hex digits of a digest of the arrays' contents, in their order."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
