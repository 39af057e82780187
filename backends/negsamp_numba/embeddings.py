"""Item embeddings of any float dtype, converted to float32 a part at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from negsamp_numba import arrays

__all__ = ["Embeddings", "Floats"]

Floats = npt.NDArray[np.float32]


class Embeddings:
    """A table of shape (num_rows, dim) that is never converted as a whole.

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
        """Length of a row."""
        return int(self._table.shape[1])

    def __getitem__(self, rows: Any) -> Floats:
        """Return some rows, contiguous; a slice of a contiguous float32 table is not copied."""
        part = self._table[rows]
        if self._bits_of_bfloat16:
            wide: Floats = (part.astype(np.uint32) << 16).view(np.float32)
            return wide
        return arrays.as_float32(part)

    def whole(self) -> Floats | None:
        """Return the table as contiguous float32 if that needs no copy, else None."""
        if self._table.dtype == np.float32 and self._table.flags.c_contiguous:
            return arrays.read_only(self._table)
        return None

    def largest_norm(self) -> float:
        """Bound the Euclidean norms of the rows; NaN or inf if the table contains such."""
        largest, step = 0.0, max((1 << 20) // max(self.dim, 1), 1)
        for first in range(0, len(self), step):
            rows = self[first : first + step]
            squares = np.einsum("ij,ij->i", rows, rows)
            underflow = self.dim * np.finfo(np.float32).tiny
            largest = float(np.maximum(largest, np.sqrt(squares.max() + underflow)))
        return largest
