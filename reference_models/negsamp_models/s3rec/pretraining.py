"""Pre-train with the four objectives of S3-Rec, on the training part of the data alone."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from negsamp import InvalidScoresError, Sampler, Uniform
from negsamp_models.checkpoints import Checkpoint, Saver
from negsamp_models.checkpoints.trained_parts import TrainedParts
from negsamp_models.datasets import Dataset, LeaveOneOut
from negsamp_models.datasets.sequences import Int64Array
from negsamp_models.files.environment import environment
from negsamp_models.pretrained import Provenance, fingerprint
from negsamp_models.processes import Processes, RunStoppedError, StopSignals
from negsamp_models.s3rec.inputs import Inputs
from negsamp_models.s3rec.model import S3Rec
from negsamp_models.s3rec.objectives import Objectives, distinct_attributes
from negsamp_models.s3rec.records import PretrainingResult
from negsamp_models.s3rec.samples import Prefixes, draw_samples
from negsamp_models.s3rec.state import PretrainingState, pack_state, unpack_state
from negsamp_models.s3rec.watching import PretrainingWatcher, Silent
from negsamp_models.sasrec import SASRec
from negsamp_models.settings import OBJECTIVES, PretrainingSettings
from negsamp_models.training import TrainingDivergedError
from negsamp_models.training.samplers import sampler_over
from negsamp_models.wording import place

__all__ = ["Pretrainer"]


@dataclass
class Pretrainer:
    """One pre-training run.

    A step minimises the weighted sum of the four objectives, each summed over the batch as in the
    authors' code. Samplers draw the negatives: one item for each masked one, never an item of the
    same prefix; and one start position for each segment's impostor, never the segment's own.

    Parameters
    ----------
    dataset : Dataset
        With attributes.
    settings : PretrainingSettings
        How to train. Its seed also seeds the global random state of torch.
    sampler_config : mapping
        For the negatives of masked items, as for :func:`negsamp.from_config` without items, counts,
        interactions, num_negatives and seed. The authors draw uniformly.
    watcher : PretrainingWatcher
        Notified of progress.
    saver : Saver, optional
        Saves checkpoints; None saves none.
    stop : StopSignals
        Checked after each batch for a request to stop.

    Attributes
    ----------
    model : S3Rec
        The model that is pre-trained.
    prefixes : Prefixes
        The data that pre-training sees: the training part.
    state : PretrainingState
        Progress of the run.

    Raises
    ------
    DatasetError
        If the data set has no attributes, or a user has fewer than 4 items.
    ConfigError
        If the sampler's configuration is not valid for the data.
    InvalidInputError
        If `num_heads` does not divide `hidden_size`.
    """

    dataset: Dataset
    settings: PretrainingSettings = field(default_factory=PretrainingSettings)
    sampler_config: Mapping[str, Any] = field(default_factory=lambda: {"sampler": "uniform"})
    watcher: PretrainingWatcher = field(default_factory=Silent)
    saver: Saver | None = None
    stop: StopSignals = field(default_factory=StopSignals)

    def __post_init__(self) -> None:
        settings, num_items = self.settings, self.dataset.num_items
        attributes = distinct_attributes(self.dataset)
        split = LeaveOneOut.of(self.dataset, settings.max_length)
        self.prefixes = Prefixes.of(split)
        self.provenance = Provenance(
            dataset=self.dataset.name,
            num_items=num_items,
            num_attributes=attributes.num_attributes,
            training_part=fingerprint(split.training_part.item_ids, split.training_part.offsets),
            attributes=fingerprint(attributes.attribute_ids, attributes.offsets),
            sampler=dict(self.sampler_config),
            **settings.decisive,
        )
        self.sampler = sampler_over(
            self.sampler_config, num_items, split, settings.seed, self.prefixes.interactions()
        )
        self._elsewhere = Uniform(len(self.prefixes.corpus), seed=settings.seed).spawn(0)
        torch.manual_seed(settings.seed)
        self.device = settings.torch_device()
        encoder = SASRec(num_items + 1, dropout=settings.dropout, **self.provenance.sizes)
        self.model = S3Rec(encoder, attributes.num_attributes).to(self.device)
        self.objectives = Objectives(self.model, attributes, self.sampler)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=settings.learning_rate, fused=True
        )
        self.state = PretrainingState()

    @property
    def identity(self) -> dict[str, Any]:
        """What must be equal in a checkpoint for this run to resume from it."""
        known = asdict(self.provenance)
        return {
            "run": "S3-Rec pre-training",
            **{name: value for name, value in known.items() if name != "epochs"},
            "device": self.device.type,
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Resume from a checkpoint; all later steps are those of an uninterrupted run.

        Raises
        ------
        CheckpointError
            If it does not fit, or is beyond the end of the run.
        """
        checkpoint.check_within("epochs", self.settings.epochs)
        self.state = unpack_state(checkpoint, self._parts, self._samplers)

    def run(self) -> PretrainingResult:
        """Train for all epochs and return the result.

        Raises
        ------
        TrainingDivergedError
            If a loss or a score is not finite.
        NoNegativesError
            If a prefix has every item of the catalogue.
        RunStoppedError
            If a signal asks the run to stop; its state is saved first.
        """
        self.watcher.on_start(self.state.records)
        while self.state.epoch < self.settings.epochs:
            self._epoch()
            self.state = self.state.after_epoch()
            self.watcher.on_epoch(self.state.records[-1])
            self._pause(self.saver is not None and self.saver.due_after_epoch())
        return PretrainingResult(
            dataset=self.dataset.name,
            num_prefixes=len(self.prefixes),
            num_tokens=self.prefixes.sequences.num_actions,
            sampler=dict(self.sampler_config),
            settings=asdict(self.settings),
            epochs=list(self.state.records),
            environment=environment(self.device),
        )

    @property
    def _parts(self) -> TrainedParts:
        return TrainedParts(self.model, self.optimizer, Processes(), self.device)

    @property
    def _samplers(self) -> tuple[Sampler, ...]:
        return self.sampler, self._elsewhere

    def _epoch(self) -> None:
        """Train the remaining batches of the epoch."""
        state, seed, size = self.state, self.settings.seed, self.settings.batch_size
        self.model.train()
        if state.batch == 0:
            self.sampler.set_epoch(state.epoch)
        order = np.random.default_rng([seed, state.epoch]).permutation(len(self.prefixes))
        num_batches = -(-len(order) // size)
        while state.batch < num_batches:
            started = time.perf_counter()
            numbers = order[state.batch * size : (state.batch + 1) * size]
            random = np.random.default_rng([seed, state.epoch, state.batch])
            state.add(*self._step(numbers, random))
            state.seconds += time.perf_counter() - started
            state.sampling_seconds += self.objectives.stopwatch.read()
            self.watcher.on_batch(state.epoch, state.batch, num_batches, state.means)
            state.batch += 1
            self._pause(self.saver is not None and self.saver.due_after_batch(state.batch))

    def _step(
        self, numbers: Int64Array, random: np.random.Generator
    ) -> tuple[list[float], list[int]]:
        """Take one step; return the sum of each loss, and the number of its terms."""
        settings = self.settings
        samples = draw_samples(
            self.prefixes, numbers, settings.mask_probability, self._elsewhere, random
        )
        inputs = Inputs.of(samples, self.model.mask_id, settings.max_length).to(self.device)
        try:
            losses = self.objectives.losses(samples, inputs)
        except InvalidScoresError as error:
            raise self._diverged("a score") from error
        stacked = torch.stack(losses)
        weights = stacked.new_tensor([getattr(settings.weights, name) for name in OBJECTIVES])
        total = stacked @ weights
        self.optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        *values, loss = torch.cat([stacked.detach(), total.detach()[None]]).tolist()
        if not math.isfinite(loss):
            named = zip(OBJECTIVES, values, strict=True)
            wrong = [name for name, value in named if not math.isfinite(value)]
            raise self._diverged(f"the loss of {' and '.join(wrong) or 'all objectives together'}")
        try:
            self.sampler.update(loss / len(numbers))
        except InvalidScoresError as error:  # reported late by an asynchronous device
            raise self._diverged("a score") from error
        num_masked = int(samples.masked.sum())
        num_unmasked = len(samples.masked) - num_masked
        return values, [num_unmasked, num_masked, num_masked, len(inputs.contexts)]

    def _pause(self, due: bool) -> None:
        """Save if a checkpoint is due, and stop if a signal was received."""
        number = self.stop.received
        saved = False
        if self.saver is not None and (number or due):
            checkpoint = pack_state(self.state, self._parts, self._samplers)
            saved = self.saver.save(checkpoint, self.watcher.on_notice)
        if number:
            where = place(self.state.epoch, self.state.batch, self.settings.epochs)
            raise RunStoppedError.at(number, where, saved)

    def _diverged(self, what: str) -> TrainingDivergedError:
        epoch, batch = self.state.epoch + 1, self.state.batch + 1
        return TrainingDivergedError(
            f"{what} is not finite in batch {batch} of epoch {epoch}; lower the learning rate"
        )
