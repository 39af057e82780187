"""The result of a call, filled chunk by chunk."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from negsamp.negatives import Negatives
from negsamp_torch.rows import Rows

__all__ = ["Result"]


class Result:
    """Ids and log-probabilities of all targets; 0 where masked."""

    def __init__(self, rows: Rows, num_negatives: int, first_item: int) -> None:
        self._shape = (*rows.shape, num_negatives)
        self._first_item = first_item
        shape, device = (prod(rows.shape), num_negatives), rows.numbers.device
        self._item_ids = torch.zeros(shape, dtype=torch.int64, device=device)
        self._log_q = torch.zeros(shape, dtype=torch.float32, device=device)

    def put(self, rows: Rows, places: Tensor, log_q: Tensor) -> None:
        """Store the draws of some rows, given as positions in the catalogue."""
        self._item_ids[rows.numbers] = self._first_item + places
        self._log_q[rows.numbers] = log_q.float()

    def negatives(self) -> Negatives:
        """Return the result in the shape of the targets."""
        return Negatives(self._item_ids.view(self._shape), self._log_q.view(self._shape))
