"""Pre-training by the four objectives of S3-Rec, on the training part of the data alone."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from negsamp import DotProduct, Uniform, from_config
from negsamp_models.datasets import Dataset, DatasetError, ItemAttributes
from negsamp_models.datasets.sequences import Int64Array
from negsamp_models.results import environment
from negsamp_models.s3rec.inputs import Inputs
from negsamp_models.s3rec.model import S3Rec
from negsamp_models.s3rec.objectives import attribute_loss, preference_loss
from negsamp_models.s3rec.records import PretrainingRecord, PretrainingResult
from negsamp_models.s3rec.samples import Prefixes, Samples, draw_samples
from negsamp_models.s3rec.settings import OBJECTIVES, PretrainingSettings
from negsamp_models.sasrec import SASRec
from negsamp_models.splits import LeaveOneOut
from negsamp_models.training import TrainingDivergedError

__all__ = ["Pretrainer", "PretrainingWatcher", "Silent"]


class PretrainingWatcher(Protocol):
    """Who is told how pre-training goes."""

    def on_batch(
        self, epoch: int, batch: int, num_batches: int, losses: Mapping[str, float]
    ) -> None:
        """Be told of a batch: the means of the epoch so far, by objective."""
        ...

    def on_epoch(self, record: PretrainingRecord) -> None:
        """Be told of an epoch."""
        ...


@dataclass
class Silent:
    """A watcher that does nothing."""

    def on_batch(
        self, epoch: int, batch: int, num_batches: int, losses: Mapping[str, float]
    ) -> None:
        """Do nothing."""

    def on_epoch(self, record: PretrainingRecord) -> None:
        """Do nothing."""


@dataclass
class Pretrainer:
    """One pre-training run.

    A step minimises the weighted sum of the four objectives, each summed over the batch as the
    authors sum them. Its negatives come from samplers: one item for each masked one, never an
    item of the same prefix; and one place for each segment, never its own.

    Parameters
    ----------
    dataset : Dataset
        With attributes.
    settings : PretrainingSettings
        How to train. The global random state of torch is seeded with its seed.
    sampler_config : mapping
        Of the masked items' negatives, as for :func:`negsamp.from_config` without items, counts,
        interactions, num_negatives and seed. The authors draw uniformly.
    watcher : PretrainingWatcher
        Who is told.

    Attributes
    ----------
    model : S3Rec
        What is pre-trained.
    prefixes : Prefixes
        What is known of the data: the training part.

    Raises
    ------
    DatasetError
        If the data set has no attributes, or a user has fewer than 4 items.
    ConfigError
        If the sampler's configuration does not fit.
    InvalidInputError
        If `num_heads` does not divide `hidden_size`.
    """

    dataset: Dataset
    settings: PretrainingSettings = field(default_factory=PretrainingSettings)
    sampler_config: Mapping[str, Any] = field(default_factory=lambda: {"sampler": "uniform"})
    watcher: PretrainingWatcher = field(default_factory=Silent)

    def __post_init__(self) -> None:
        settings, num_items = self.settings, self.dataset.num_items
        self._attributes = _distinct_attributes(self.dataset)
        split = LeaveOneOut.of(self.dataset, settings.max_length)
        self.prefixes = Prefixes.of(split)
        arguments: dict[str, Any] = {"items": range(1, num_items + 1), "seed": settings.seed}
        if self.sampler_config.get("sampler") == "popularity":
            arguments["counts"] = split.training_part.item_counts(num_items)
        self.sampler = from_config(
            self.sampler_config, interactions=self.prefixes.interactions(), **arguments
        )
        self._elsewhere = Uniform(len(self.prefixes.corpus), seed=settings.seed).spawn(0)
        self._sampling_seconds = 0.0
        torch.manual_seed(settings.seed)
        self.device = settings.torch_device()
        encoder = SASRec(
            num_items,
            hidden_size=settings.hidden_size,
            num_layers=settings.num_layers,
            num_heads=settings.num_heads,
            max_length=settings.max_length,
            dropout=settings.dropout,
        )
        self.model = S3Rec(encoder, self._attributes.num_attributes).to(self.device)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=settings.learning_rate, fused=True
        )

    def run(self) -> PretrainingResult:
        """Train for all epochs and return the result.

        Raises
        ------
        TrainingDivergedError
            If a loss is not finite.
        NoNegativesError
            If a prefix holds every item of the catalogue.
        """
        records = []
        for epoch in range(self.settings.epochs):
            records.append(self._epoch(epoch))
            self.watcher.on_epoch(records[-1])
        return PretrainingResult(
            dataset=self.dataset.name,
            num_prefixes=len(self.prefixes),
            num_tokens=self.prefixes.sequences.num_actions,
            sampler=dict(self.sampler_config),
            settings=asdict(self.settings),
            epochs=records,
            environment=environment(self.device),
        )

    def _epoch(self, epoch: int) -> PretrainingRecord:
        self.model.train()
        self.sampler.set_epoch(epoch)
        started, self._sampling_seconds = time.perf_counter(), 0.0
        order = np.random.default_rng([self.settings.seed, epoch]).permutation(len(self.prefixes))
        size = self.settings.batch_size
        num_batches = -(-len(order) // size)
        sums, counts = np.zeros(len(OBJECTIVES)), np.zeros(len(OBJECTIVES))
        for batch in range(num_batches):
            numbers = order[batch * size : (batch + 1) * size]
            random = np.random.default_rng([self.settings.seed, epoch, batch])
            losses, positions = self._step(numbers, random)
            if not np.isfinite(losses).all():
                raise TrainingDivergedError(
                    f"the loss of {OBJECTIVES[int(np.isfinite(losses).argmin())]} is not finite "
                    f"in batch {batch} of epoch {epoch}; lower the learning rate"
                )
            sums += losses
            counts += positions
            self.watcher.on_batch(epoch, batch, num_batches, _means(sums, counts))
        return PretrainingRecord(
            epoch, _means(sums, counts), time.perf_counter() - started, self._sampling_seconds
        )

    def _step(
        self, numbers: Int64Array, random: np.random.Generator
    ) -> tuple[list[float], list[int]]:
        """Take one step; return the sum of each loss and what it is the sum over."""
        settings = self.settings
        samples = draw_samples(
            self.prefixes, numbers, settings.mask_probability, self._elsewhere, random
        )
        inputs = Inputs.of(samples, self.model.mask_id, settings.max_length).to(self.device)
        losses = self.losses(samples, inputs)
        weights = [getattr(settings.weights, name) for name in OBJECTIVES]
        total = sum(weight * loss for weight, loss in zip(weights, losses, strict=True))
        self.optimizer.zero_grad()
        torch.as_tensor(total).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        values = torch.stack(losses).tolist()
        if math.isfinite(mean := float(np.dot(weights, values)) / len(numbers)):
            self.sampler.update(mean)
        num_masked = int(samples.masked.sum())
        num_open = len(samples.masked) - num_masked
        return values, [num_open, num_masked, num_masked, len(inputs.contexts)]

    def losses(self, samples: Samples, inputs: Inputs) -> list[Tensor]:
        """Return the four losses of a batch, each summed, in the order of `OBJECTIVES`.

        Parameters
        ----------
        samples : Samples
        inputs : Inputs
            Of the samples, on the device of the model.

        Returns
        -------
        list of zero-dimensional float tensors
            In nats.
        """
        model = self.model
        states = model.states(inputs.whole)
        ends = states if inputs.ends is None else torch.cat([states, model.ends(inputs.ends)])
        by_token = states.index_select(0, inputs.tokens)
        is_masked = torch.from_numpy(samples.masked).to(self.device)
        open_states, masked_states = by_token[~is_masked], by_token[is_masked]
        open_items = samples.prefixes.item_ids[~samples.masked]
        masked_items = samples.prefixes.item_ids[samples.masked]
        contexts = model.segments(ends.index_select(0, inputs.contexts))
        return [
            self._attribute_loss(model.associated_attributes(open_states), open_items),
            self._item_loss(model.masked_items(masked_states), masked_items, samples),
            self._attribute_loss(model.masked_attributes(masked_states), masked_items),
            preference_loss(
                (contexts * ends.index_select(0, inputs.segments)).sum(-1),
                (contexts * ends.index_select(0, inputs.impostors)).sum(-1),
            ),
        ]

    def _attribute_loss(self, projected: Tensor, items: Int64Array) -> Tensor:
        known = self._attributes
        counts = known.offsets[items + 1] - known.offsets[items]
        rows = np.repeat(np.arange(len(items)), counts)
        first = known.offsets[items] - np.cumsum(counts) + counts
        columns = known.attribute_ids[np.repeat(first, counts) + np.arange(len(rows))] - 1
        pairs = torch.from_numpy(np.stack([rows, columns])).to(self.device)
        return attribute_loss(projected, self.model.attributes.weight, pairs[0], pairs[1])

    def _item_loss(self, projected: Tensor, items: Int64Array, samples: Samples) -> Tensor:
        embeddings = self.model.encoder.item_embeddings
        positives = torch.from_numpy(items).to(self.device)
        owners = np.repeat(samples.numbers, samples.prefixes.lengths)[samples.masked]
        before = time.perf_counter()
        negatives = self.sampler.sample(
            positives,
            score=DotProduct(projected, embeddings),
            users=torch.from_numpy(owners).to(self.device),
        )
        self._sampling_seconds += time.perf_counter() - before
        pairs = torch.stack([positives, negatives.item_ids[:, 0]])
        scores = (projected * torch.nn.functional.embedding(pairs, embeddings)).sum(-1)
        return preference_loss(scores[0], scores[1])


def _distinct_attributes(dataset: Dataset) -> ItemAttributes:
    """Return the attributes of each item, each once."""
    known = dataset.attributes
    if known is None or not known.num_attributes:
        raise DatasetError(
            f"{dataset.name} has no attributes, which S3-Rec is pre-trained on: put the file "
            f"{dataset.name}_item2attributes.json beside {dataset.name}.txt, a JSON object from "
            "item id to the list of its attribute ids"
        )
    owners = np.repeat(np.arange(len(known.offsets) - 1), np.diff(known.offsets))
    pairs = np.unique(np.stack([owners, known.attribute_ids]), axis=1)
    counts = np.bincount(pairs[0], minlength=known.num_items + 1)
    return ItemAttributes(pairs[1], np.concatenate(([0], np.cumsum(counts))))


def _means(sums: Any, counts: Any) -> dict[str, float]:
    return dict(zip(OBJECTIVES, (sums / np.maximum(counts, 1)).tolist(), strict=True))
