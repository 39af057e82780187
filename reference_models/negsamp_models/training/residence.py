"""Padded training data on the device, so that a batch is given by row numbers alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from negsamp_models.datasets import Training
from negsamp_models.datasets.packing import pad

__all__ = ["ResidentTraining"]


@dataclass(frozen=True, eq=False)
class ResidentTraining:
    """The training data on a device, one sequence per row, padded on the left.

    An extra empty row at the end fills up batches that are too small.

    Attributes
    ----------
    inputs, targets : int64, shape (num_sequences + 1, max_length)
        Items; 0 in empty slots.
    users : int64, shape (num_sequences + 1,)
        The user of each sequence.
    """

    inputs: Tensor
    targets: Tensor
    users: Tensor

    @classmethod
    def of(cls, training: Training, max_length: int, device: torch.device) -> ResidentTraining:
        """Pad the data and copy them to a device."""
        padded = (
            pad(each.item_ids, each.offsets, max_length).item_ids
            for each in (training.inputs, training.targets)
        )
        columns = *padded, torch.tensor(training.users)
        return cls(*(torch.cat([each, torch.zeros_like(each[:1])]).to(device) for each in columns))

    def __len__(self) -> int:
        """Return the number of sequences, which is the index of the empty row."""
        return len(self.users) - 1

    def take(self, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return inputs, targets and users of some rows, int64 of shape (num_rows,)."""
        inputs, targets, users = (
            each.index_select(0, places) for each in (self.inputs, self.targets, self.users)
        )
        return inputs, targets, users
