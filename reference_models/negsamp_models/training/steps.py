"""One training step: encode a batch, draw its negatives, update the weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from negsamp_models.datasets import Training
from negsamp_models.datasets.packing import on_device, pack
from negsamp_models.datasets.sequences import Int64Array
from negsamp_models.processes import Processes
from negsamp_models.sasrec import SASRec
from negsamp_models.settings import LOSSES, TrainingSettings
from negsamp_models.training.drawing import Draw
from negsamp_models.training.stopwatch import Stopwatch

__all__ = ["Step", "Stepper"]


@dataclass(frozen=True, eq=False)
class Step:
    """The outcome of a step.

    Attributes
    ----------
    loss : float Tensor, zero-dimensional
        Loss of the whole batch over all processes; the device may still be computing it.
    num_draws : int
        Negatives drawn by all processes.
    """

    loss: Tensor
    num_draws: int


@dataclass(eq=False)
class Stepper:
    """Takes training steps.

    A step copies nothing to the host unless the sampler does, so that the host prepares a batch
    while the device computes earlier ones.

    Parameters
    ----------
    training : Training
        The training data.
    settings : TrainingSettings
    model : SASRec
    draw : callable
        Draws the negatives, see ``negsamp_models.training.drawing``.
    processes : Processes
    device : torch.device

    Attributes
    ----------
    stopwatch : Stopwatch
        Times sampling in this process.
    encoder : Module
        The model, wrapped for data parallelism if there are several processes.
    optimizer : Adam
    """

    training: Training
    settings: TrainingSettings
    model: SASRec
    draw: Draw
    processes: Processes
    device: torch.device

    def __post_init__(self) -> None:
        self.stopwatch = Stopwatch(self.device)
        self.encoder = self.processes.parallel(self.model, self.device)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=self.settings.learning_rate, fused=True
        )

    def take(self, places: Int64Array) -> Step:
        """Train on this process's share of a batch.

        Parameters
        ----------
        places : int64, shape (num_sequences,)
            Rows of the training data; the same in all processes.
        """
        training, lengths = self.training, self.training.inputs.lengths
        own = self.processes.share(places)
        weight = self.processes.size * lengths[own].sum() / lengths[places].sum()
        own = own if len(own) else places[:1]  # of weight 0: each step is collective
        inputs, targets = training.inputs.take(own), training.targets.take(own)
        owners = np.repeat(training.users[own], inputs.lengths)
        max_length, longest = self.settings.max_length, int(lengths.max())
        batch = pack(inputs.item_ids, inputs.offsets, max_length, longest).to(self.device)
        positives, users = (
            on_device(torch.from_numpy(each.copy()), self.device)
            for each in (targets.item_ids, owners)
        )
        queries, embeddings = batch.tokens(self.encoder(batch)), self.model.item_embeddings
        with self.stopwatch.running():
            negatives = self.draw(positives, queries, embeddings, users)
        loss = LOSSES[self.settings.loss](queries, embeddings, positives, negatives)
        loss = loss * float(weight)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        num_draws = int(lengths[places].sum()) * negatives.item_ids.shape[-1]
        whole = self.processes.total(loss.detach()) / self.processes.size
        return Step(whole, num_draws)

    def settle(self) -> float:
        """Wait for the device, and return the seconds of sampling since the last call.

        The sampler has raised its errors and counted its calls by itself.
        """
        return self.stopwatch.read()

    def reset(self) -> None:
        """Do nothing: nothing is captured, each step uses the current sampler and optimiser."""
