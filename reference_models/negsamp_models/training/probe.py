"""Measure how hard the negatives are: the entropy of the law at a few fixed rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from negsamp import DotProduct, Sampler
from negsamp_models.datasets import Training
from negsamp_models.datasets.packing import PackedBatch, pack
from negsamp_models.sasrec import SASRec

__all__ = ["Probe"]

MAX_ROWS = 32
"""Largest number of sequences of a probe."""
MAX_PROBABILITIES = 1 << 19
"""Largest number of probabilities, rows times items, computed after each epoch."""


@dataclass(frozen=True, eq=False)
class Probe:
    """The last positions of a few training sequences, the same in every epoch and every run.

    Attributes
    ----------
    batch : PackedBatch
        The sequences: at most 32, evenly spaced over the users, fewer for a catalogue of more
        than 2**14 items.
    targets, users : int64, shape (num_rows,)
        The target of each sequence at its last position, and its user.
    """

    batch: PackedBatch
    targets: Tensor
    users: Tensor

    @classmethod
    def of(cls, training: Training, num_items: int, max_length: int, device: torch.device) -> Probe:
        """Choose the rows."""
        num_rows = min(max(MAX_PROBABILITIES // num_items, 1), MAX_ROWS, len(training.users))
        rows = np.linspace(0, len(training.users) - 1, num_rows).astype(np.int64)
        inputs, targets = training.inputs.take(rows), training.targets.take(rows)
        return cls(
            pack(inputs.item_ids, inputs.offsets, max_length).to(device),
            torch.tensor(targets.item_ids[targets.offsets[1:] - 1], device=device),
            torch.tensor(training.users[rows], device=device),
        )

    @torch.no_grad()
    def entropy(self, model: SASRec, sampler: Sampler) -> float:
        """Return the mean of ``-sum_i Q(i | row) log Q(i | row)`` over the rows, in nats.

        Nothing is drawn; the states of the sampler and of random generators do not change. The
        model is left in evaluation mode.
        """
        model.eval()
        law = sampler.probabilities(
            self.targets,
            score=DotProduct(self.batch.last_tokens(model(self.batch)), model.item_embeddings),
            users=self.users,
        )
        return float(torch.special.entr(law).sum(-1).mean())
