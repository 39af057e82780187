"""The progress of a run, and its conversion to and from checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from negsamp import NegSampError, Sampler
from negsamp_models.checkpoint import Checkpoint, CheckpointError
from negsamp_models.datasets import Dataset
from negsamp_models.distributed import Processes
from negsamp_models.records import EpochRecord, best_epoch
from negsamp_models.settings import TrainingSettings

__all__ = [
    "RunState",
    "copied",
    "pack_state",
    "restore_tensors",
    "run_identity",
    "training_tensors",
    "unpack_state",
]


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
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    sampler: Sampler,
    processes: Processes,
    device: torch.device,
) -> Checkpoint:
    """Return the state of a run as a checkpoint; collective: all processes must call it.

    Its tensors are ``best.NAME`` and those of :func:`training_tensors`.
    """
    tensors = {f"best.{name}": value for name, value in state.best_weights.items()}
    tensors |= training_tensors(model, optimizer, processes, device)
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
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    sampler: Sampler,
    processes: Processes,
    device: torch.device,
) -> RunState:
    """Restore a run from a checkpoint; all later steps are those of an uninterrupted run.

    Raises
    ------
    CheckpointError
        If the content does not match what :func:`pack_state` stores for these objects.
    """
    tensors, plain = checkpoint.tensors, dict(checkpoint.state)
    try:
        restore_tensors(tensors, model, optimizer, processes, device)
        own = sampler.state_dict()["spawned"]  # by rank; the rest is common to all
        sampler.load_state_dict(plain.pop("sampler") | {"spawned": own})
        best_weights = {name: value.to(device) for name, value in _within("best.", tensors).items()}
        records = [EpochRecord(**record) for record in plain.pop("records")]
        return RunState(best_weights, checkpoint.epoch, checkpoint.batch, records=records, **plain)
    except (KeyError, IndexError, TypeError, RuntimeError, ValueError, NegSampError) as error:
        raise CheckpointError(
            f"the checkpoint {checkpoint.name} does not fit this negsamp: {error}"
        ) from error


def training_tensors(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    processes: Processes,
    device: torch.device,
) -> dict[str, Tensor]:
    """Return the tensors that the next step depends on; collective: all processes must call it.

    They are ``model.NAME``, ``optimizer.NAME.KEY`` by the name of the parameter, and the states of
    torch's generators, ``random.cpu`` and ``random.cuda``, uint8 of shape (num_processes, size).
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    names = [name for name, _ in model.named_parameters()]
    for number, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{names[number]}.{key}": value for key, value in values.items()}
    tensors["random.cpu"] = processes.gather(torch.get_rng_state())
    if device.type == "cuda":
        tensors["random.cuda"] = processes.gather(torch.cuda.get_rng_state(device))
    return tensors


def restore_tensors(
    tensors: Mapping[str, Tensor],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    processes: Processes,
    device: torch.device,
) -> None:
    """Restore model, optimiser and random generators from :func:`training_tensors`."""
    model.load_state_dict(_within("model.", tensors))
    groups = optimizer.state_dict()["param_groups"]
    each = [_within(f"optimizer.{name}.", tensors) for name, _ in model.named_parameters()]
    numbered = {number: values for number, values in enumerate(each) if values}
    optimizer.load_state_dict({"state": numbered, "param_groups": groups})
    torch.set_rng_state(tensors["random.cpu"][processes.rank].clone())
    if device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random.cuda"][processes.rank].clone(), device)


def copied(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a model's weights."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _within(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the tensors whose names start with a prefix, the prefix removed."""
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
