"""Training SASRec with the negatives of any sampler, to the best epoch on validation."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from negsamp import (
    DotProduct,
    GenNi,
    Interactions,
    InvalidScoresError,
    NegSampError,
    Sampler,
    from_config,
)
from negsamp_models.checkpoint import Checkpoint, CheckpointError
from negsamp_models.datasets import Dataset, DatasetError, Sequences
from negsamp_models.datasets.sequences import Int64Array
from negsamp_models.distributed import Processes
from negsamp_models.evaluation import Metrics, rank_answers
from negsamp_models.interruption import RunStoppedError, StopSignals
from negsamp_models.packing import pack
from negsamp_models.probe import Probe
from negsamp_models.records import EpochRecord, RunResult
from negsamp_models.results import environment
from negsamp_models.run_state import (
    RunState,
    copied,
    pack_state,
    run_identity,
    unpack_state,
)
from negsamp_models.s3rec.weights import Pretrained, check_pretrained
from negsamp_models.sasrec import SASRec
from negsamp_models.saving import Saver
from negsamp_models.settings import LOSSES, TrainingSettings
from negsamp_models.splits import Evaluation, LeaveOneOut
from negsamp_models.watching import Silent, Watcher

__all__ = ["Trainer", "TrainingDivergedError", "build_sampler"]

USERS_PER_BATCH = 1024


class TrainingDivergedError(NegSampError, ArithmeticError):
    """The loss of a batch, or a score, is not a finite number."""


def build_sampler(
    config: Mapping[str, Any], dataset: Dataset, split: LeaveOneOut, settings: TrainingSettings
) -> Sampler:
    """Build the sampler of a run; what it knows of the data is the training part alone.

    The one exception is an ablation that measures what a leak is worth: with `leak_held_out` of the
    settings, interactions are of the whole sequences.

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
        known = dataset.sequences if settings.leak_held_out else split.training_part
        arguments["interactions"] = Interactions.from_sequences(known)
    return from_config(config, **arguments)


@dataclass
class Trainer:
    """One run: a model, a sampler, and the data.

    Parameters
    ----------
    dataset : Dataset
        What to train on.
    sampler_config : mapping
        As for :func:`~negsamp_models.training.build_sampler`.
    settings : TrainingSettings
        How to train. The global random state of torch is seeded with its seed.
    watcher : Watcher
        Who is told.
    saver : Saver, optional
        Saves checkpoints; without one there are none.
    stop : StopSignals
        Asked after each batch whether to stop.
    processes : Processes
        That share the run; each has a trainer, with the same arguments.
    pretrained : Pretrained, optional
        Weights to begin with, for the model "s3rec", which needs them.

    Attributes
    ----------
    state : RunState
        How far the run has come.

    Raises
    ------
    TrainingSettingsError
        If the model needs pre-trained weights and there are none, or the other way round.
    PretrainedError
        If the pre-trained weights are of another catalogue, of other sequences or other sizes.
    DatasetError
        If a user has fewer than 4 items, or validation is empty: there is no user, or all answers
        are items that their users had seen, which are not ranked.
    """

    dataset: Dataset
    sampler_config: Mapping[str, Any]
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    watcher: Watcher = field(default_factory=Silent)
    saver: Saver | None = None
    stop: StopSignals = field(default_factory=StopSignals)
    processes: Processes = field(default_factory=Processes)
    pretrained: Pretrained | None = None

    def __post_init__(self) -> None:
        settings = self.settings
        self.split = LeaveOneOut.of(self.dataset, settings.max_length)
        if not self.split.validation.is_new.any():
            raise DatasetError(
                f"the validation set of {self.dataset.name} is empty: each user's last item but "
                "one is an item the user had before, and seen items are not ranked; no epoch could "
                "be told from another"
            )
        check_pretrained(self.pretrained, self.dataset, self.split, settings)
        self.sampler = self.processes.sampler(
            build_sampler(self.sampler_config, self.dataset, self.split, settings)
        )
        torch.manual_seed(settings.seed)
        self.device = self.processes.device(settings)
        self.model = SASRec(
            self.dataset.num_items,
            hidden_size=settings.hidden_size,
            num_layers=settings.num_layers,
            num_heads=settings.num_heads,
            max_length=settings.max_length,
            dropout=settings.dropout,
        ).to(self.device)
        if self.pretrained is not None:
            self.pretrained.load_into(self.model)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=settings.learning_rate, fused=True
        )
        self.encoder = self.processes.parallel(self.model, self.device)
        self.processes.seed(settings.seed)
        self.probe = Probe.of(
            self.split.training, self.dataset.num_items, settings.max_length, self.device
        )
        self.state = RunState(copied(self.model))

    @property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must have in common with this run to be gone on from."""
        identity = run_identity(
            self.dataset, self.sampler_config, self.settings, self.device, self.processes
        )
        return identity | {"pretraining": self._pretraining}

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of this run; all that follows is what it would have been.

        Raises
        ------
        CheckpointError
            If it does not fit, or is of a later place than the run is to end at.
        """
        if (checkpoint.epoch, checkpoint.batch) > (self.settings.max_epochs, 0):
            raise CheckpointError(
                f"the checkpoint has {checkpoint.epoch} epochs and {checkpoint.batch} batches "
                f"behind it; max_epochs is {self.settings.max_epochs}: ask for as many or more"
            )
        self.state = unpack_state(checkpoint, *self._parts)

    def run(self) -> RunResult:
        """Train to the end and return the result; the model is left with its best weights.

        Raises
        ------
        TrainingDivergedError
            If a loss or a score is not finite.
        RunStoppedError
            If a signal asks the run to stop; it is saved before.
        """
        state = self.state
        self.watcher.on_start(state.records)
        if self.settings.leak_held_out:
            self.watcher.on_notice(
                "this run LEAKS: its negatives leave out the validation and test items, so its "
                "figures are no result; an ablation alone may do this"
            )
        while not self._finished:
            record = self._epoch()
            state.close_epoch(record)
            if state.best_epoch == record.epoch:
                state.best_weights = copied(self.model)
            self.watcher.on_epoch(record, state.best_epoch)
            self._pause(self.saver is not None and self.saver.due_after_epoch())
        self.model.load_state_dict(state.best_weights)
        return RunResult(
            dataset=self.dataset.name,
            sampler=dict(self.sampler_config),
            settings=asdict(self.settings),
            best_epoch=state.best_epoch,
            validation=self.evaluate(self.split.validation).as_percent(),
            test=self.evaluate(self.split.test).as_percent(),
            test_unmasked=self.evaluate(self.split.test, mask_seen=False).as_percent(),
            epochs=list(state.records),
            environment=environment(self.device),
            pretraining=self._pretraining,
        )

    @property
    def _pretraining(self) -> dict[str, Any] | None:
        return None if self.pretrained is None else self.pretrained.description

    @property
    def _finished(self) -> bool:
        state = self.state
        waited = state.epoch - 1 - state.best_epoch
        return state.epoch >= self.settings.max_epochs or waited >= self.settings.patience

    @property
    def _parts(self) -> tuple[Any, ...]:
        """What :mod:`negsamp_models.run_state` packs beside the state itself."""
        return self.model, self.optimizer, self.sampler, self.processes, self.device

    def _epoch(self) -> EpochRecord:
        """Train what is left of the epoch, and evaluate."""
        state = self.state
        self.encoder.train()
        if state.batch == 0:
            self.sampler.set_epoch(state.epoch)
        batches = self._batches(state.epoch)
        while state.batch < len(batches):
            loss = self._batch(batches[state.batch])
            self.watcher.on_batch(state.epoch, state.batch, len(batches), loss)
            state.batch += 1
            self._pause(self.saver is not None and self.saver.due_after_batch(state.batch))
        started = time.perf_counter()
        try:
            validation = self.evaluate(self.split.validation).as_percent()
            entropy = self.probe.entropy(self.model, self.sampler)
        except InvalidScoresError as error:
            raise self._diverged("a score is not finite", "validation") from error
        return EpochRecord(
            epoch=state.epoch,
            loss=float(np.mean(state.losses)),
            alpha=self.sampler.alpha if isinstance(self.sampler, GenNi) else None,
            beta=self.sampler.beta if isinstance(self.sampler, GenNi) else None,
            training_seconds=state.training_seconds,
            sampling_seconds=state.sampling_seconds,
            evaluation_seconds=time.perf_counter() - started,
            validation=validation,
            num_draws=state.num_draws,
            entropy=entropy,
        )

    def _batches(self, epoch: int) -> list[Int64Array]:
        """Return the places of each batch's sequences, in an order that the epoch alone decides."""
        lengths = self.split.training.inputs.lengths
        order = np.random.default_rng([self.settings.seed, epoch]).permutation(len(lengths))
        size = self.settings.batch_size
        return [order[start : start + size] for start in range(0, len(order), size)]

    def _batch(self, places: Int64Array) -> float:
        """Take the step of a batch, keep the books, and return the loss."""
        state, started = self.state, time.perf_counter()
        try:
            loss = self._step(places)
        except InvalidScoresError as error:
            raise self._diverged("a score is not finite", f"batch {state.batch}") from error
        if not math.isfinite(loss):
            raise self._diverged(f"the loss is {loss}", f"batch {state.batch}")
        self.sampler.update(loss)
        state.losses.append(loss)
        state.training_seconds += time.perf_counter() - started
        return loss

    def _step(self, places: Int64Array) -> float:
        """Take one step, with this process's share of the batch; return the loss of the whole."""
        training, lengths = self.split.training, self.split.training.inputs.lengths
        own = self.processes.share(places)
        weight = self.processes.size * lengths[own].sum() / lengths[places].sum()
        own = own if len(own) else places[:1]  # of weight 0: all processes take all steps
        inputs, targets = training.inputs.take(own), training.targets.take(own)
        batch = pack(inputs.item_ids, inputs.offsets, self.settings.max_length).to(self.device)
        queries = batch.tokens(self.encoder(batch))
        positives = torch.tensor(targets.item_ids, device=self.device)
        users = torch.tensor(np.repeat(training.users[own], inputs.lengths), device=self.device)
        before = time.perf_counter()
        embeddings = self.model.item_embeddings
        negatives = self.sampler.sample(
            positives, score=DotProduct(queries, embeddings), users=users
        )
        self.state.sampling_seconds += time.perf_counter() - before
        self.state.num_draws += int(lengths[places].sum()) * self.sampler.num_negatives
        loss = LOSSES[self.settings.loss](queries, embeddings, positives, negatives)
        loss = loss * float(weight)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return self.processes.total(loss.detach()).item() / self.processes.size

    def _pause(self, due: bool) -> None:
        """Save if it is time, and stop if a signal asked for it."""
        number, save = self.processes.largest(self.stop.received, due)
        saved = bool(number or save) and self._save()
        if number:
            place = f"epoch {self.state.epoch}, before batch {self.state.batch}"
            raise RunStoppedError(
                number,
                f"stopped in {place} (both counted from 0); "
                + ("this is saved" if saved else "this could not be saved"),
            )

    def _save(self) -> bool:
        if self.saver is None:
            return False
        return self.saver.save(pack_state(self.state, *self._parts), self.watcher.on_notice)

    def _diverged(self, what: str, where: str) -> TrainingDivergedError:
        if isinstance(self.sampler, GenNi):
            hardness = f"alpha = {self.sampler.alpha:g}, beta = {self.sampler.beta:g}"
        else:
            hardness = type(self.sampler).__name__
        return TrainingDivergedError(
            f"{what} in {where} of epoch {self.state.epoch} ({hardness}); lower the learning rate "
            "or alpha"
        )

    def evaluate(self, evaluation: Evaluation, mask_seen: bool = True) -> Metrics:
        """Rank all items for each user; see :func:`negsamp_models.evaluation.rank_answers`."""
        self.model.eval()
        users = self.processes.share(np.arange(len(evaluation.answers)))
        ranks = torch.zeros(len(evaluation.answers), dtype=torch.int64, device=self.device)
        if len(users):
            seen = evaluation.seen.take(users)
            ranks[torch.tensor(users, device=self.device)] = rank_answers(
                self._encoded(evaluation.inputs.take(users)),
                self.model.item_embeddings.detach(),
                torch.tensor(evaluation.answers[users], device=self.device),
                (seen.item_ids, seen.offsets) if mask_seen else None,
            )
        return Metrics.of_ranks(self.processes.total(ranks))

    @torch.no_grad()
    def _encoded(self, sequences: Sequences) -> Tensor:
        """Return the encoding at the end of each sequence."""
        queries = []
        for first in range(0, len(sequences), USERS_PER_BATCH):
            places = np.arange(first, min(first + USERS_PER_BATCH, len(sequences)))
            part = sequences.take(places)
            batch = pack(part.item_ids, part.offsets, self.settings.max_length).to(self.device)
            queries.append(batch.last_tokens(self.model(batch)))
        return torch.cat(queries)
