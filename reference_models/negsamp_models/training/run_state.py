"""The progress of a run, and its conversion to and from checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from negsamp import NegSampError, Sampler
from negsamp_models.checkpoints import Checkpoint, CheckpointError
from negsamp_models.checkpoints.trained_parts import TrainedParts, within
from negsamp_models.datasets import Dataset
from negsamp_models.processes import Processes
from negsamp_models.records import EpochRecord, best_epoch
from negsamp_models.settings import TrainingSettings

__all__ = ["RunState", "pack_state", "run_identity", "unpack_state"]


@dataclass
class RunState:
    """The progress of a run.

    Attributes
    ----------
    epoch, batch : int
        The position: `batch` batches of epoch `epoch` are done.
    losses : list of float
        The losses of these batches.
    training_seconds, sampling_seconds : float
        Time spent on these batches, and on sampling within it.
    num_draws : int
        Negatives drawn in these batches, by all processes.
    records : list of EpochRecord
        The finished epochs.
    best_weights : dict of str to Tensor
        The model's weights after the best finished epoch; the initial ones before the first ends.
    """

    best_weights: dict[str, Tensor]
    epoch: int = 0
    batch: int = 0
    losses: list[float] = field(default_factory=list)
    training_seconds: float = 0.0
    sampling_seconds: float = 0.0
    num_draws: int = 0
    records: list[EpochRecord] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The best of the finished epochs."""
        return best_epoch(self.records)

    def close_epoch(self, record: EpochRecord) -> None:
        """Record the finished epoch, and start the next."""
        self.records.append(record)
        self.epoch, self.batch, self.losses = self.epoch + 1, 0, []
        self.training_seconds = self.sampling_seconds = 0.0
        self.num_draws = 0


def run_identity(
    dataset: Dataset,
    sampler_config: Mapping[str, Any],
    settings: TrainingSettings,
    device: torch.device,
    processes: Processes,
) -> dict[str, Any]:
    """Return all that determines the steps of a run; when it ends is not part of it.

    Returns
    -------
    dict
        JSON-serialisable values: name and SHA-256 of the data, the sampler's configuration, the
        settings except `max_epochs` and `patience`, the device type, the number of processes.
    """
    decisive = {
        name: value
        for name, value in asdict(settings).items()
        if name not in ("max_epochs", "patience", "device")
    }
    return {
        "dataset": {
            "name": dataset.name,
            "num_items": dataset.num_items,
            "num_users": dataset.num_users,
            "sha256": dataset.sha256,
        },
        "sampler": dict(sampler_config),
        "settings": decisive,
        "device": device.type,
        "num_processes": processes.size,
    }


def pack_state(
    state: RunState,
    parts: TrainedParts,
    sampler: Sampler,
) -> Checkpoint:
    """Return the state of a run as a checkpoint; collective: all processes must call it.

    Its tensors are ``best.NAME`` and those of the parts.
    """
    tensors = {f"best.{name}": value for name, value in state.best_weights.items()}
    tensors |= parts.tensors()
    plain = {
        name: value
        for name, value in vars(state).items()
        if name not in ("best_weights", "records", "epoch", "batch")
    }
    plain["records"] = [asdict(record) for record in state.records]
    plain["sampler"] = sampler.state_dict()
    return Checkpoint(state.epoch, state.batch, tensors, plain)


def unpack_state(
    checkpoint: Checkpoint,
    parts: TrainedParts,
    sampler: Sampler,
) -> RunState:
    """Restore a run from a checkpoint; all later steps are those of an uninterrupted run.

    Raises
    ------
    CheckpointError
        If the content does not match what :func:`pack_state` stores for these objects.
    """
    tensors, plain = checkpoint.tensors, dict(checkpoint.state)
    try:
        parts.restore(tensors)
        own = sampler.state_dict()["spawned"]  # by rank; the rest is common to all
        sampler.load_state_dict(plain.pop("sampler") | {"spawned": own})
        best_weights = {
            name: value.to(parts.device) for name, value in within("best.", tensors).items()
        }
        records = [EpochRecord(**record) for record in plain.pop("records")]
        return RunState(best_weights, checkpoint.epoch, checkpoint.batch, records=records, **plain)
    except (KeyError, IndexError, TypeError, RuntimeError, ValueError, NegSampError) as error:
        raise CheckpointError(
            f"the checkpoint {checkpoint.name} does not fit this negsamp: {error}"
        ) from error
