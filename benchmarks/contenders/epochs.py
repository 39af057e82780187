"""An epoch of the reference SASRec on packed sequences, with negatives of this library."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import torch

from benchmarks.contenders.ours import BACKENDS
from benchmarks.settings import Epoch
from benchmarks.work import Contender, NotMeasuredError, Work
from negsamp import DotProduct
from negsamp_models.datasets import (
    Dataset,
    SyntheticParameters,
    generate_synthetic,
    load_dataset,
)
from negsamp_models.settings import SYNTHETIC_SETTINGS, TrainingSettings
from negsamp_models.training import Trainer
from negsamp_models.training.watching import Silent

__all__ = ["CONTENDERS", "prepare"]


class EpochDone(Exception):  # noqa: N818  (not an error: it ends a run after an epoch)
    """The last batch of an epoch is done."""


class OneEpoch(Silent):
    """A watcher that times an epoch, and ends the run after its last batch, before validation.

    Attributes
    ----------
    number : int
        The epoch, counted from 0.
    seconds : float
        Time of its batches.
    """

    def __init__(self, number: int) -> None:
        self.number, self.seconds = number, math.nan

    def on_start(self, records: Sequence[Any]) -> None:
        """Start timing the first epoch."""
        self._started = time.perf_counter()

    def on_epoch(self, record: Any, best_epoch: int) -> None:
        """Start timing the next epoch."""
        self._started = time.perf_counter()

    def on_batch(self, epoch: int, batch: int, num_batches: int, loss: float) -> None:
        """End the run after the last batch of the epoch."""
        if (epoch, batch) == (self.number, num_batches - 1):
            self.seconds = time.perf_counter() - self._started
            raise EpochDone


@cache
def load(name: str) -> Dataset:
    """Load a data set without downloading anything."""
    if name == "tiny":
        return generate_synthetic(SyntheticParameters(num_users=40, num_items=40, num_clusters=5))
    if name != "synthetic" and not os.environ.get("NEGSAMP_DATA"):
        raise NotMeasuredError(f"set NEGSAMP_DATA to the folder of {name}.txt")
    return load_dataset(name)


def prepare(
    setting: Epoch, backend: str, device: str = "cpu", number: int = 0, cuda_graphs: bool = False
) -> Work:
    """Prepare an epoch of a run: all batches, no validation.

    Parameters
    ----------
    setting : Epoch
    backend, device : str
        Backend of the sampler, and device to train on.
    number : int
        The epoch to time, counted from 0; earlier ones are trained untimed.
    cuda_graphs : bool
        Run each step as one CUDA graph.
    """
    if cuda_graphs and device == "cpu":
        raise NotMeasuredError("CUDA graphs need CUDA")
    dataset = load(setting.dataset)
    usual = TrainingSettings() if setting.dataset == "Beauty" else SYNTHETIC_SETTINGS
    settings = replace(usual, device=device)
    config: dict[str, Any] = {"sampler": setting.law, "backend": backend}
    if setting.law == "genni":
        config |= {"alpha": 1.0, "beta": setting.beta}

    def run() -> tuple[Trainer, float]:
        watcher = OneEpoch(number)
        trainer = Trainer(dataset, config, settings, watcher, cuda_graphs=cuda_graphs)
        try:
            trainer.run()
        except EpochDone:
            return trainer, watcher.seconds
        raise RuntimeError("the run ended without an epoch")

    return Work(run, _wrong, seconds=lambda made: float(made[1]))


def _wrong(made: tuple[Trainer, float]) -> str | None:
    """Check one more draw of the sampler that the epoch used."""
    trainer = made[0]
    embeddings = trainer.model.item_embeddings.detach()
    if not bool(embeddings.isfinite().all()):
        return "trained to embeddings that are not finite"
    some = trainer.split.training.targets.item_ids[:1000]
    targets = torch.tensor(some, device=embeddings.device)
    score = DotProduct(embeddings[targets], embeddings)
    drawn = np.asarray(trainer.sampler.sample(targets, score=score).item_ids[:, 0].cpu())
    if ((drawn < 1) | (drawn > trainer.dataset.num_items)).any():
        return f"drew an id outside 1 to {trainer.dataset.num_items}"
    return "drew the target of its row" if (drawn == some).any() else None


CONTENDERS = tuple(
    Contender(f"negsamp {backend}", "ours", ("epoch",), partial(prepare, backend=backend))
    for backend in BACKENDS
    if backend in ("numba", "torch")
)
