"""Item embeddings of any float type, read as float32 a part at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from negsamp_numba import arrays

__all__ = ["Embeddings", "Floats"]

Floats = npt.NDArray[np.float32]


class Embeddings:
    """A (lines, dim) table that is never converted whole.

    Parameters
    ----------
    table : array or tensor, float16, bfloat16, float32 or float64
        Not copied.
    """

    def __init__(self, table: Any) -> None:
        self._bits_of_bfloat16 = arrays.is_tensor(table) and "bfloat16" in str(table.dtype)
        self._table = arrays.bits_of(table) if self._bits_of_bfloat16 else arrays.to_numpy(table)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def dim(self) -> int:
        """Length of a line."""
        return int(self._table.shape[1])

    def __getitem__(self, lines: Any) -> Floats:
        """Return some lines, contiguous; a slice of a contiguous float32 table is not copied."""
        part = self._table[lines]
        if self._bits_of_bfloat16:
            wide: Floats = (part.astype(np.uint32) << 16).view(np.float32)
            return wide
        return arrays.as_float32(part)

    def whole(self) -> Floats | None:
        """Return the table itself if that needs no copy, else None."""
        if self._table.dtype == np.float32 and self._table.flags.c_contiguous:
            return arrays.read_only(self._table)
        return None

    def largest_norm(self) -> float:
        """Return the largest Euclidean norm of a line; NaN or inf if the table holds such."""
        largest, step = 0.0, max((1 << 20) // max(self.dim, 1), 1)
        for first in range(0, len(self), step):
            lines = self[first : first + step]
            squares = np.einsum("ij,ij->i", lines, lines)
            largest = float(np.maximum(largest, np.sqrt(squares.max())))
        return largest
