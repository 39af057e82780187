"""Training SASRec with the negatives of any sampler, to the best epoch on validation."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from negsamp import (
    DotProduct,
    GenNi,
    Interactions,
    NegSampError,
    Sampler,
    from_config,
)
from negsamp_models.datasets import Dataset
from negsamp_models.evaluation import Metrics, rank_answers
from negsamp_models.packing import pack
from negsamp_models.records import EpochRecord, RunResult
from negsamp_models.results import environment
from negsamp_models.sasrec import SASRec
from negsamp_models.settings import LOSSES, TrainingSettings
from negsamp_models.splits import Evaluation, LeaveOneOut

__all__ = ["Trainer", "TrainingDivergedError", "Watcher", "build_sampler"]

USERS_PER_BATCH = 1024
CHOSEN_BY = "NDCG@10"
"""The validation metric that decides which epoch is best."""


class TrainingDivergedError(NegSampError, ArithmeticError):
    """The loss of a batch is not a finite number."""


class Watcher(Protocol):
    """Who is told how a run goes."""

    def on_batch(self, epoch: int, batch: int, num_batches: int, loss: float) -> None:
        """Be told of a batch."""
        ...

    def on_epoch(self, record: EpochRecord, best_epoch: int) -> None:
        """Be told of an epoch."""
        ...


@dataclass
class Silent:
    """A watcher that does nothing."""

    def on_batch(self, epoch: int, batch: int, num_batches: int, loss: float) -> None:
        """Do nothing."""

    def on_epoch(self, record: EpochRecord, best_epoch: int) -> None:
        """Do nothing."""


def build_sampler(
    config: Mapping[str, Any], dataset: Dataset, split: LeaveOneOut, settings: TrainingSettings
) -> Sampler:
    """Build the sampler of a run; what it knows of the data is the training part alone.

    Parameters
    ----------
    config : mapping
        As for :func:`negsamp.from_config`, without items, counts, interactions and seed.
    dataset, split, settings
        Of the run.

    Returns
    -------
    Sampler

    Raises
    ------
    ConfigError
        If the configuration does not fit.
    """
    arguments: dict[str, Any] = {"items": range(1, dataset.num_items + 1), "seed": settings.seed}
    if config.get("sampler") == "popularity":
        arguments["counts"] = split.training_part.item_counts(dataset.num_items)
    if settings.exclude_interactions:
        arguments["interactions"] = Interactions.from_sequences(split.training_part)
    return from_config(config, **arguments)


@dataclass
class Trainer:
    """One run: a model, a sampler, and the data.

    Parameters
    ----------
    dataset : Dataset
        What to train on.
    sampler_config : mapping
        As for :func:`build_sampler`.
    settings : TrainingSettings
        How to train. The global random state of torch is seeded with its seed.
    watcher : Watcher
        Who is told.
    """

    dataset: Dataset
    sampler_config: Mapping[str, Any]
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    watcher: Watcher = field(default_factory=Silent)

    def __post_init__(self) -> None:
        settings = self.settings
        self.split = LeaveOneOut.of(self.dataset, settings.max_length)
        self.sampler = build_sampler(self.sampler_config, self.dataset, self.split, settings)
        torch.manual_seed(settings.seed)
        self.device = settings.torch_device()
        self.model = SASRec(
            self.dataset.num_items,
            hidden_size=settings.hidden_size,
            num_layers=settings.num_layers,
            num_heads=settings.num_heads,
            max_length=settings.max_length,
            dropout=settings.dropout,
        ).to(self.device)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=settings.learning_rate, fused=True
        )

    def run(self) -> RunResult:
        """Train to the end and return the result; the model is left with its best weights.

        Raises
        ------
        TrainingDivergedError
            If a loss is not finite.
        """
        records: list[EpochRecord] = []
        best, best_epoch = -math.inf, 0
        best_weights = _copied(self.model)
        for epoch in range(self.settings.max_epochs):
            record = self._epoch(epoch)
            records.append(record)
            if record.validation[CHOSEN_BY] > best:
                best, best_epoch = record.validation[CHOSEN_BY], epoch
                best_weights = _copied(self.model)
            self.watcher.on_epoch(record, best_epoch)
            if epoch - best_epoch >= self.settings.patience:
                break
        self.model.load_state_dict(best_weights)
        return RunResult(
            dataset=self.dataset.name,
            sampler=dict(self.sampler_config),
            settings=asdict(self.settings),
            best_epoch=best_epoch,
            validation=self.evaluate(self.split.validation).as_percent(),
            test=self.evaluate(self.split.test).as_percent(),
            test_unmasked=self.evaluate(self.split.test, mask_seen=False).as_percent(),
            epochs=records,
            environment=environment(self.device),
        )

    def _epoch(self, epoch: int) -> EpochRecord:
        self.model.train()
        self.sampler.set_epoch(epoch)
        started, sampling, losses = time.perf_counter(), 0.0, []
        batches = list(self._batches(epoch))
        for number, places in enumerate(batches):
            loss, seconds = self._step(places)
            sampling += seconds
            losses.append(loss)
            if not math.isfinite(loss):
                raise TrainingDivergedError(
                    f"the loss is {loss} in batch {number} of epoch {epoch} "
                    f"({_hardness(self.sampler)}); lower the learning rate or alpha"
                )
            self.watcher.on_batch(epoch, number, len(batches), loss)
        trained = time.perf_counter()
        validation = self.evaluate(self.split.validation)
        return EpochRecord(
            epoch=epoch,
            loss=float(np.mean(losses)),
            alpha=self.sampler.alpha if isinstance(self.sampler, GenNi) else None,
            beta=self.sampler.beta if isinstance(self.sampler, GenNi) else None,
            training_seconds=trained - started,
            sampling_seconds=sampling,
            evaluation_seconds=time.perf_counter() - trained,
            validation=validation.as_percent(),
        )

    def _batches(self, epoch: int) -> Iterator[Any]:
        """Yield the places of each batch's sequences, in an order that the epoch alone decides."""
        lengths = self.split.training.inputs.lengths
        order = np.random.default_rng([self.settings.seed, epoch]).permutation(len(lengths))
        for start in range(0, len(order), self.settings.batch_size):
            yield order[start : start + self.settings.batch_size]

    def _step(self, places: Any) -> tuple[float, float]:
        """Take one step; return the loss and the seconds that sampling took."""
        training = self.split.training
        inputs, targets = training.inputs.take(places), training.targets.take(places)
        batch = pack(inputs.item_ids, inputs.offsets, self.settings.max_length).to(self.device)
        queries = batch.tokens(self.model(batch))
        positives = torch.tensor(targets.item_ids, device=self.device)
        users = torch.tensor(np.repeat(training.users[places], inputs.lengths), device=self.device)
        before = time.perf_counter()
        embeddings = self.model.item_embeddings
        negatives = self.sampler.sample(
            positives, score=DotProduct(queries, embeddings), users=users
        )
        sampling = time.perf_counter() - before
        loss = LOSSES[self.settings.loss](queries, embeddings, positives, negatives.item_ids)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        value = loss.item()
        if math.isfinite(value):
            self.sampler.update(value)
        return value, sampling

    def evaluate(self, evaluation: Evaluation, mask_seen: bool = True) -> Metrics:
        """Rank all items for each user; see :func:`negsamp_models.evaluation.rank_answers`."""
        self.model.eval()
        queries = []
        with torch.no_grad():
            for first in range(0, len(evaluation.inputs), USERS_PER_BATCH):
                part = evaluation.inputs.take(
                    np.arange(first, min(first + USERS_PER_BATCH, len(evaluation.inputs)))
                )
                batch = pack(part.item_ids, part.offsets, self.settings.max_length)
                batch = batch.to(self.device)
                queries.append(batch.last_tokens(self.model(batch)))
        ranks = rank_answers(
            torch.cat(queries),
            self.model.item_embeddings.detach(),
            torch.tensor(evaluation.answers, device=self.device),
            (evaluation.seen.item_ids, evaluation.seen.offsets) if mask_seen else None,
        )
        return Metrics.of_ranks(ranks)


def _copied(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _hardness(sampler: Sampler) -> str:
    if isinstance(sampler, GenNi):
        return f"alpha = {sampler.alpha:g}, beta = {sampler.beta:g}"
    return type(sampler).__name__
