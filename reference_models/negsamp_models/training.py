"""Training SASRec with the negatives of any sampler, to the best epoch on validation."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from negsamp import (
    DotProduct,
    GenNi,
    Interactions,
    InvalidInputError,
    NegSampError,
    Sampler,
    from_config,
)
from negsamp.validation import as_count, as_number
from negsamp_models.datasets import Dataset
from negsamp_models.evaluation import Metrics, rank_answers
from negsamp_models.losses import bpr_loss, nce_loss
from negsamp_models.packing import pack
from negsamp_models.results import environment
from negsamp_models.sasrec import SASRec
from negsamp_models.splits import Evaluation, LeaveOneOut

__all__ = [
    "EpochRecord",
    "RunResult",
    "Trainer",
    "TrainingDivergedError",
    "TrainingSettings",
    "Watcher",
    "build_sampler",
]

LOSSES = {"nce": nce_loss, "bpr": bpr_loss}
USERS_PER_BATCH = 1024
CHOSEN_BY = "NDCG@10"
"""The validation metric that decides which epoch is best."""


class TrainingDivergedError(NegSampError, ArithmeticError):
    """The loss of a batch is not a finite number."""


@dataclass(frozen=True)
class TrainingSettings:
    """How a model is trained; the defaults are the paper's (section 5.1.4).

    Attributes
    ----------
    max_epochs, patience : int
        Training stops after `patience` epochs without a better validation NDCG@10, and after
        `max_epochs` in any case.
    batch_size : int
        Sequences a batch.
    learning_rate : float
        Of Adam with betas 0.9 and 0.999.
    max_length : int
        Longest input; the last items of longer ones are used.
    hidden_size, num_layers, num_heads, dropout
        Of :class:`SASRec`.
    loss : {"nce", "bpr"}
        Eq. 4 of the paper, or BPR (section 4.2).
    exclude_interactions : bool
        Exclude all items of the user's training part from the negatives, not the target alone.
    seed : int
        Of initial weights, dropout, order of the batches, and negatives.
    device : str
        A torch device, or "auto": CUDA where there is one, else the CPU.
    """

    max_epochs: int = 300
    patience: int = 40
    batch_size: int = 256
    learning_rate: float = 1e-3
    max_length: int = 50
    hidden_size: int = 64
    num_layers: int = 2
    num_heads: int = 2
    dropout: float = 0.5
    loss: Literal["nce", "bpr"] = "nce"
    exclude_interactions: bool = False
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("max_epochs", "patience", "batch_size", "max_length", "hidden_size"):
            as_count(name, getattr(self, name))
        for name in ("num_layers", "num_heads"):
            as_count(name, getattr(self, name))
        as_count("seed", self.seed, low=0, high=2**63 - 1)
        if as_number("learning_rate", self.learning_rate) <= 0:
            raise TrainingSettingsError("learning_rate", self.learning_rate, "> 0")
        if not 0 <= as_number("dropout", self.dropout) < 1:
            raise TrainingSettingsError("dropout", self.dropout, "in [0, 1)")
        if self.loss not in LOSSES:
            raise TrainingSettingsError("loss", self.loss, " or ".join(map(repr, LOSSES)))

    def torch_device(self) -> torch.device:
        """Return the device to train on."""
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return torch.device(self.device)


class TrainingSettingsError(NegSampError, ValueError):
    """A setting is out of its range."""

    def __init__(self, name: str, value: Any, allowed: str) -> None:
        super().__init__(f"{name} must be {allowed}; got {value!r}")


@dataclass(frozen=True)
class EpochRecord:
    """What happened in one epoch.

    Attributes
    ----------
    epoch : int
        From 0.
    loss : float
        Mean over the batches.
    alpha, beta : float or None
        Of the sampler at the end of the epoch, if it has them.
    training_seconds, sampling_seconds, evaluation_seconds : float
        Wall-clock time of the epoch's batches (sampling included), of sampling alone, and of
        validation.
    validation : dict of str to float
        HR and NDCG in percent, seen items masked.
    """

    epoch: int
    loss: float
    alpha: float | None
    beta: float | None
    training_seconds: float
    sampling_seconds: float
    evaluation_seconds: float
    validation: dict[str, float]


@dataclass(frozen=True)
class RunResult:
    """A finished run, as its result file holds it.

    Attributes
    ----------
    dataset : str
        Name of the data set.
    sampler : dict
        Configuration of the sampler.
    settings : dict
        The :class:`TrainingSettings`.
    best_epoch : int
        The epoch whose weights were kept: that with the best validation NDCG@10.
    validation, test, test_unmasked : dict of str to float
        HR and NDCG in percent of the kept weights: seen items masked, and, for the last, ranked.
    epochs : list of EpochRecord
        All epochs.
    environment : dict
        Versions, device, threads.
    """

    dataset: str
    sampler: dict[str, Any]
    settings: dict[str, Any]
    best_epoch: int
    validation: dict[str, float]
    test: dict[str, float]
    test_unmasked: dict[str, float]
    epochs: list[EpochRecord]
    environment: dict[str, Any]

    @property
    def seconds_per_epoch(self) -> float:
        """Median wall-clock time of an epoch's batches, validation not included."""
        return float(np.median([record.training_seconds for record in self.epochs]))

    @property
    def sampling_share(self) -> float:
        """Share of the training time that sampling took, of 1."""
        sampling = sum(record.sampling_seconds for record in self.epochs)
        return sampling / sum(record.training_seconds for record in self.epochs)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RunResult:
        """Return the result that :meth:`to_json` made this of."""
        names = [each.name for each in fields(cls)]
        if not isinstance(content, Mapping) or not content.keys() >= set(names):
            raise InvalidInputError(f"a run's result has the keys {', '.join(names)}")
        values = {name: content[name] for name in names}
        return cls(**values | {"epochs": [EpochRecord(**record) for record in content["epochs"]]})

    def to_json(self) -> dict[str, Any]:
        """Return values that JSON can hold."""
        return asdict(self) | {
            "seconds_per_epoch": self.seconds_per_epoch,
            "sampling_share": self.sampling_share,
        }


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
