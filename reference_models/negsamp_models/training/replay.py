"""Run a training step repeatedly on the same memory; on a CUDA device, as one CUDA graph."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import nn

__all__ = ["WARM_UP_STEPS", "Replay"]

WARM_UP_STEPS = 3
"""Steps before a capture, as PyTorch requires: they compile and select kernels and fill caches."""


class Replay:
    """A training step that a CUDA device replays as one graph.

    On other devices the step runs eagerly, after the same warm-up.

    Parameters
    ----------
    step : callable
        Reads and writes the same tensors each time, and copies nothing to the host. It clears the
        gradients, computes new ones and updates the weights.
    model : Module
        The model that is trained.
    optimizer : Optimizer
        Updates its weights; all of its state is on the device.
    rehearsal : callable
        Returns a context that restores whatever else the step changes, such as the sampler.
    device : torch.device
    """

    def __init__(
        self,
        step: Callable[[], None],
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        rehearsal: Callable[[], AbstractContextManager[None]],
        device: torch.device,
    ) -> None:
        self._step, self._rehearsal, self._device = step, rehearsal, device
        self._model, self._optimizer = model, optimizer
        self._run: Callable[[], None] | None = None

    @property
    def is_captured(self) -> bool:
        """Whether there is a captured step to run."""
        return self._run is not None

    def capture(self) -> None:
        """Capture the step as it is now; the state of the run does not change."""
        self._run = None  # frees the memory of the previous graph
        if self._device.type != "cuda":
            self._rehearse()
            self._run = self._step
            return
        with torch.cuda.device(self._device):
            graph = torch.cuda.CUDAGraph()
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                self._rehearse()
            torch.cuda.current_stream().wait_stream(stream)
            with _without_garbage_collection(), torch.cuda.graph(graph, stream=stream):
                self._step()
        self._run = graph.replay

    def __call__(self) -> None:
        """Run the captured step once."""
        assert self._run is not None
        self._run()

    def _rehearse(self) -> None:
        """Run the warm-up steps, and undo them."""
        with (
            self._rehearsal(),
            _undone(self._model, self._optimizer, self._device),
            warnings.catch_warnings(),
        ):
            warnings.filterwarnings("ignore", ".*capturable=True.*running without.*capture")
            for _ in range(WARM_UP_STEPS):
                self._step()
        self._optimizer.zero_grad()  # a graph allocates its own gradients at capture


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Keep dead graphs, such as those of an earlier run: destroying one spoils a capture."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@contextmanager
def _undone(
    model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device
) -> Iterator[None]:
    """Restore weights, optimiser state and random states in place on exit."""
    weights = [(weight, weight.detach().clone()) for weight in model.parameters()]
    state = {
        weight: {key: value.clone() for key, value in values.items()}
        for weight, values in optimizer.state.items()
    }
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield
    with torch.no_grad():
        for parameter, before in weights:
            parameter.copy_(before)
        for weight, values in optimizer.state.items():
            for key, value in values.items():  # state created by the warm-up starts as zeros
                value.copy_(state[weight][key]) if weight in state else value.zero_()
