"""Training steps as CUDA graphs, with the data on the device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from negsamp import ConfigError, DotProduct, Negatives, Sampler
from negsamp_models.datasets import Training
from negsamp_models.datasets.packing import causal_mask, on_device
from negsamp_models.datasets.sequences import Int64Array
from negsamp_models.processes import Processes
from negsamp_models.sasrec import SASRec
from negsamp_models.settings import LOSSES, TrainingSettings
from negsamp_models.training.replay import Replay
from negsamp_models.training.residence import ResidentTraining
from negsamp_models.training.steps import Step
from negsamp_torch import capturable, fused

__all__ = ["CapturedStepper", "check_cuda_graphs"]


def check_cuda_graphs(processes: Processes, device: torch.device) -> None:
    """Refuse a run whose steps cannot be CUDA graphs.

    Raises
    ------
    ConfigError
        If it has several processes, the device is not CUDA, or the kernels of ``negsamp_torch``
        cannot draw there.
    """
    if processes.size > 1:
        raise ConfigError("cuda_graphs needs a single process: start the run without torchrun")
    if device.type != "cuda":
        raise ConfigError(f"cuda_graphs needs a CUDA device; the device of this run is {device}")
    if not fused.works_on(device):
        raise ConfigError("cuda_graphs needs Triton, and a GPU that its kernels run on")


@dataclass(eq=False)
class CapturedStepper:
    """Takes the steps of :class:`~negsamp_models.training.steps.Stepper`, each as one CUDA graph.

    The data stay on the device, so that a step gets only the row numbers of its sequences. It
    gathers them, padded to one length, encodes them, draws negatives and updates the weights;
    padding is masked out. The first step captures the graph; a later one captures it again when a
    schedule has changed a value that the shapes of the graph depend on.

    Parameters
    ----------
    training : Training
        The training data.
    settings : TrainingSettings
    model : SASRec
        On the device.
    sampler : Sampler
        Draws the negatives. Do not use it elsewhere before :meth:`settle`.
    device : torch.device
        A CUDA device; on others the same steps run eagerly.

    Attributes
    ----------
    optimizer : Adam
        With all its state on the device.
    """

    training: Training
    settings: TrainingSettings
    model: SASRec
    sampler: Sampler
    device: torch.device

    def __post_init__(self) -> None:
        settings = self.settings
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=settings.learning_rate, fused=True, capturable=True
        )
        self._data = ResidentTraining.of(self.training, settings.max_length, self.device)
        self._positions = torch.arange(settings.max_length, device=self.device)[None, :]
        size = min(settings.batch_size, len(self._data))
        self._places = torch.full((size,), len(self._data), device=self.device)
        self._loss = torch.zeros((), device=self.device)
        self.reset()

    def reset(self) -> None:
        """Discard captured graphs, which are invalid after sampler or optimiser are loaded."""
        self._draw = capturable(self.sampler, self.device)
        self._replay = Replay(
            self._step, self.model, self.optimizer, self._draw.rehearsal, self.device
        )

    def take(self, places: Int64Array) -> Step:
        """Train on a batch.

        Parameters
        ----------
        places : int64, shape (num_sequences,)
            Rows of the training data, at most `batch_size`.
        """
        filled = np.full(len(self._places), len(self._data))
        filled[: len(places)] = places
        self._places.copy_(on_device(torch.from_numpy(filled), self.device))
        if not (self._draw.follow() and self._replay.is_captured):
            self._replay.capture()
        self._replay()
        num_positions = int(self.training.inputs.lengths[places].sum())
        return Step(self._loss.clone(), num_positions * self.sampler.num_negatives)

    def settle(self) -> float:
        """Wait for the device, raise the sampler's errors, and update its call count.

        Returns
        -------
        float
            0: within a graph, drawing cannot be timed.
        """
        self._draw.settle()
        return 0.0

    def _step(self) -> None:
        """Take the step of the batch in `_places`, and write its loss to `_loss`."""
        inputs, targets, users = self._data.take(self._places)
        hidden = self.model.encode(inputs, self._positions, causal_mask(inputs != 0))
        embeddings, mask = self.model.item_embeddings, targets != 0
        negatives = self._draw(
            targets, score=DotProduct(hidden, embeddings), users=users, mask=mask
        )
        loss = LOSSES[self.settings.loss](
            hidden.flatten(0, 1),
            embeddings,
            targets.flatten(),
            Negatives(*(each.flatten(0, 1) for each in negatives)),
            mask.flatten(),
        )
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self._loss.copy_(loss.detach())
