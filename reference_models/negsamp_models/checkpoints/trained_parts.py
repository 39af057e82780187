"""What a training step changes, as the tensors of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from negsamp_models.processes import Processes

__all__ = ["TrainedParts", "copied", "within"]


@dataclass(frozen=True, eq=False)
class TrainedParts:
    """All that the next step depends on, but for the sampler and the position in the data.

    Attributes
    ----------
    model : Module
    optimizer : Optimizer
    processes : Processes
        The processes that share the run.
    device : torch.device
        Its generator is one of the parts if it is a CUDA device; torch's on the CPU always is.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    processes: Processes
    device: torch.device

    def tensors(self) -> dict[str, Tensor]:
        """Return the state of all parts; collective: all processes must call it.

        The names are ``model.NAME``, ``optimizer.NAME.KEY`` by the name of the parameter, and, for
        torch's generators, ``random.cpu`` and ``random.cuda``, uint8 of shape (num_processes,
        size).
        """
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        names = [name for name, _ in self.model.named_parameters()]
        for number, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{names[number]}.{key}": each for key, each in values.items()}
        tensors["random.cpu"] = self.processes.gather(torch.get_rng_state())
        if self.device.type == "cuda":
            tensors["random.cuda"] = self.processes.gather(torch.cuda.get_rng_state(self.device))
        return tensors

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore all parts from :meth:`tensors`; other names are ignored."""
        self.model.load_state_dict(within("model.", tensors))
        groups = self.optimizer.state_dict()["param_groups"]
        names = [name for name, _ in self.model.named_parameters()]
        each = [within(f"optimizer.{name}.", tensors) for name in names]
        numbered = {number: values for number, values in enumerate(each) if values}
        self.optimizer.load_state_dict({"state": numbered, "param_groups": groups})
        rank = self.processes.rank
        torch.set_rng_state(tensors["random.cpu"][rank].clone())
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"][rank].clone(), self.device)


def copied(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a model's weights."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def within(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the tensors whose names start with a prefix, the prefix removed."""
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
