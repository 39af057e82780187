"""The progress of a run, and everything of a trainer that a checkpoint has to hold."""

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
    """How far a run has come.

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
        The epochs before.
    best_weights : dict of str to Tensor
        The model's weights after the best of them; the initial ones before there is any.
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
        """Record that the epoch is done, and start the next."""
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
    """Return what decides each step of a run; when it ends does not belong to it.

    Returns
    -------
    dict
        Values that JSON can hold: name and SHA-256 of the data, the sampler's configuration, the
        settings but for `max_epochs` and `patience`, the kind of device, the number of processes.
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
    """Put a run into a checkpoint; all processes have to call it.

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
    """Bring a run to where a checkpoint was made; every later step is what it would have been.

    Raises
    ------
    CheckpointError
        If it holds anything else than :func:`pack_state` puts in for these objects.
    """
    tensors, plain = checkpoint.tensors, dict(checkpoint.state)
    try:
        restore_tensors(tensors, model, optimizer, processes, device)
        own = sampler.state_dict()["spawned"]  # by rank; all else is the same in all processes
        sampler.load_state_dict(plain.pop("sampler") | {"spawned": own})
        best_weights = {name: value.to(device) for name, value in _below("best.", tensors).items()}
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
    """Return the tensors that the next step depends on; all processes have to call it.

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
    """Bring model, optimiser and generators to where :func:`training_tensors` was called."""
    model.load_state_dict(_below("model.", tensors))
    groups = optimizer.state_dict()["param_groups"]
    each = [_below(f"optimizer.{name}.", tensors) for name, _ in model.named_parameters()]
    numbered = {number: values for number, values in enumerate(each) if values}
    optimizer.load_state_dict({"state": numbered, "param_groups": groups})
    torch.set_rng_state(tensors["random.cpu"][processes.rank].clone())
    if device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random.cuda"][processes.rank].clone(), device)


def copied(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a model's weights."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the tensors whose names begin so, without that beginning."""
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
