"""Train SASRec with the negatives of any sampler, and keep the best epoch on validation."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from negsamp import GenNi, InvalidInputError, InvalidScoresError, NegSampError
from negsamp_models.checkpoints import Checkpoint, CheckpointError, Saver
from negsamp_models.checkpoints.trained_parts import TrainedParts, copied
from negsamp_models.datasets import Dataset, DatasetError, Evaluation, LeaveOneOut
from negsamp_models.datasets.sequences import Int64Array
from negsamp_models.evaluation import Metrics, rank_users
from negsamp_models.files.environment import environment
from negsamp_models.pretrained import Pretrained, check_pretrained
from negsamp_models.processes import Processes, RunStoppedError, StopSignals
from negsamp_models.records import CHOSEN_BY, EpochRecord, RunResult, longest_wait
from negsamp_models.sasrec import SASRec
from negsamp_models.settings import TrainingSettings
from negsamp_models.training.captured import CapturedStepper, check_cuda_graphs
from negsamp_models.training.drawing import drawn_here, drawn_over_slices
from negsamp_models.training.probe import Probe
from negsamp_models.training.run_state import RunState, pack_state, run_identity, unpack_state
from negsamp_models.training.samplers import alpha_and_beta, build_sampler
from negsamp_models.training.steps import Stepper
from negsamp_models.training.watching import Silent, Watcher
from negsamp_models.wording import place, plural

__all__ = ["Trainer", "TrainingDivergedError"]

LOSSES_PER_READ = 32
"""Steps after which losses are read from a CUDA device: each read waits until it has caught up."""


class TrainingDivergedError(NegSampError, ArithmeticError):
    """The loss of a batch, or a score, is not a finite number."""


@dataclass
class Trainer:
    """A training run: a model, a sampler and the data.

    Parameters
    ----------
    dataset : Dataset
        The data to train on.
    sampler_config : mapping
        As for :func:`~negsamp_models.training.samplers.build_sampler`.
    settings : TrainingSettings
        How to train. Its seed also seeds the global random state of torch.
    watcher : Watcher
        Notified of progress.
    saver : Saver, optional
        Saves checkpoints; None saves none.
    stop : StopSignals
        Checked after each batch for a request to stop.
    processes : Processes
        The processes that share the run; each has a trainer with the same arguments.
    pretrained : Pretrained, optional
        Initial weights for the model "s3rec", which needs them.
    sharded_items : bool
        Let each process score one slice of the items, for the rows of all processes; see
        :func:`~negsamp_models.training.drawing.drawn_over_slices`.
    cuda_graphs : bool
        Run each step as one CUDA graph; see
        :class:`~negsamp_models.training.captured.CapturedStepper`.

    Attributes
    ----------
    state : RunState
        Progress of the run.

    Raises
    ------
    TrainingSettingsError
        If the model "s3rec" has no pre-trained weights or another model has some.
    ConfigError
        If items are to be sharded in a single process or for a sampler without scores; or if steps
        cannot be CUDA graphs.
    PretrainedError
        If the pre-trained weights belong to another catalogue, other sequences or other sizes.
    DatasetError
        If a user has fewer than 4 items, or validation is empty: there is no user, or every answer
        is an item that its user had seen, and seen items are not ranked.
    ProcessesDifferError
        If the processes' trainers have different arguments.
    """

    dataset: Dataset
    sampler_config: Mapping[str, Any]
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    watcher: Watcher = field(default_factory=Silent)
    saver: Saver | None = None
    stop: StopSignals = field(default_factory=StopSignals)
    processes: Processes = field(default_factory=Processes)
    pretrained: Pretrained | None = None
    sharded_items: bool = False
    cuda_graphs: bool = False

    def __post_init__(self) -> None:
        settings = self.settings
        self.split = LeaveOneOut.of(self.dataset, settings.max_length)
        if not self.split.validation.is_new.any():
            raise DatasetError(
                f"the validation set of {self.dataset.name} is empty: each user's last item but "
                "one is an item the user had before, and seen items are not ranked; no best epoch "
                "could be chosen"
            )
        check_pretrained(self.pretrained, self.dataset, self.split, settings)
        self.sampler = self.processes.sampler(
            build_sampler(self.sampler_config, self.dataset, self.split, settings)
        )
        self.device = self.processes.device(settings)
        self.processes.agree(self.identity | {"settings": asdict(settings)})
        if self.cuda_graphs:
            check_cuda_graphs(self.processes, self.device)
        torch.manual_seed(settings.seed)
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
        self.stepper = self._stepper()
        self.processes.seed(settings.seed)
        self.probe = Probe.of(
            self.split.training, self.dataset.num_items, settings.max_length, self.device
        )
        self.state = RunState(copied(self.model))
        self._unread: list[Tensor] = []
        self._losses_per_read = 1 if self.device.type == "cpu" else LOSSES_PER_READ

    @property
    def identity(self) -> dict[str, Any]:
        """What must be equal in a checkpoint for this run to resume from it."""
        identity = run_identity(
            self.dataset, self.sampler_config, self.settings, self.device, self.processes
        )
        return identity | {"pretraining": self._pretraining} | self._chosen_ways

    def restore(self, checkpoint: Checkpoint) -> None:
        """Resume from a checkpoint; all later steps are those of an uninterrupted run.

        Raises
        ------
        CheckpointError
            If it does not fit, or is beyond the end of the run.
        """
        settings = self.settings
        checkpoint.check_within("max_epochs", settings.max_epochs)
        state = unpack_state(checkpoint, self._parts, self.sampler)
        waited = longest_wait(state.records if state.batch else state.records[:-1])
        if waited >= settings.patience:
            raise CheckpointError(
                f"patience must be >= {waited + 1} to resume from the checkpoint: training had "
                f"continued after {plural(waited, 'epoch')} without a better validation "
                f"{CHOSEN_BY}; got {settings.patience}"
            )
        self.state = state
        self.stepper.reset()

    def run(self) -> RunResult:
        """Train to the end and return the result; the model then has its best weights.

        Raises
        ------
        TrainingDivergedError
            If a loss or a score is not finite.
        RunStoppedError
            If a signal asks the run to stop; its state is saved first.
        """
        state = self.state
        self.watcher.on_start(state.records)
        if self.settings.leak_held_out:
            self.watcher.on_notice(
                "this run LEAKS: its negatives exclude the validation and test items, so that its "
                "metrics are not valid results; only an ablation may do this"
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
            environment=environment(self.device) | self._chosen_ways,
            pretraining=self._pretraining,
            data_sha256=self.dataset.sha256,
        )

    @property
    def _chosen_ways(self) -> dict[str, Any]:
        """Options that differ from the default and can change results by noise."""
        ways = {"sharded_items": self.sharded_items, "cuda_graphs": self.cuda_graphs}
        return {name: True for name, is_chosen in ways.items() if is_chosen}

    def _stepper(self) -> Stepper | CapturedStepper:
        training, model = self.split.training, self.model
        if self.cuda_graphs:
            return CapturedStepper(training, self.settings, model, self.sampler, self.device)
        draw = (
            drawn_over_slices(self.sampler, self.processes)
            if self.sharded_items
            else drawn_here(self.sampler)
        )
        return Stepper(training, self.settings, model, draw, self.processes, self.device)

    @property
    def _pretraining(self) -> dict[str, Any] | None:
        return None if self.pretrained is None else self.pretrained.description

    @property
    def _finished(self) -> bool:
        state = self.state
        waited = state.epoch - 1 - state.best_epoch
        return state.epoch >= self.settings.max_epochs or waited >= self.settings.patience

    @property
    def _parts(self) -> TrainedParts:
        return TrainedParts(self.model, self.stepper.optimizer, self.processes, self.device)

    def _epoch(self) -> EpochRecord:
        """Train the remaining batches of the epoch, and validate."""
        state = self.state
        self.model.train()
        if state.batch == 0:
            with self._diverging(self._before_this):
                self.sampler.set_epoch(state.epoch)
        batches = self._batches(state.epoch)
        while state.batch < len(batches):
            self._batch(batches[state.batch], state.batch == len(batches) - 1)
            self.watcher.on_batch(state.epoch, state.batch, len(batches), state.losses[-1])
            state.batch += 1
            self._pause(self.saver is not None and self.saver.due_after_batch(state.batch))
        started = time.perf_counter()
        with self._diverging("validation"):
            validation = self.evaluate(self.split.validation).as_percent()
            entropy = self.probe.entropy(self.model, self.sampler)
        alpha, beta = alpha_and_beta(self.sampler)
        return EpochRecord(
            epoch=state.epoch,
            loss=float(np.mean(state.losses)),
            alpha=alpha,
            beta=beta,
            training_seconds=state.training_seconds,
            sampling_seconds=state.sampling_seconds,
            evaluation_seconds=time.perf_counter() - started,
            validation=validation,
            num_draws=state.num_draws,
            entropy=entropy,
        )

    def _batches(self, epoch: int) -> list[Int64Array]:
        """Return the rows of each batch, in an order that depends on seed and epoch alone."""
        lengths = self.split.training.inputs.lengths
        order = np.random.default_rng([self.settings.seed, epoch]).permutation(len(lengths))
        size = self.settings.batch_size
        return [order[start : start + size] for start in range(0, len(order), size)]

    def _batch(self, places: Int64Array, is_last: bool) -> None:
        """Train on a batch and record the step."""
        state, started = self.state, time.perf_counter()
        with self._diverging(self._until_now):
            step = self.stepper.take(places)
        self._unread.append(step.loss)
        if is_last or not state.losses or len(self._unread) >= self._losses_per_read:
            self._read_losses()
        with self._diverging(self._until_now):
            try:
                self.sampler.update(step.loss)
            except (InvalidInputError, InvalidScoresError):
                self._read_losses()
                raise
        state.num_draws += step.num_draws
        state.training_seconds += time.perf_counter() - started

    def _read_losses(self) -> None:
        """Wait for the device to finish all steps, and record their losses."""
        unread, self._unread = self._unread, []
        for loss in torch.stack(unread).tolist() if unread else []:
            if not math.isfinite(loss):
                raise self._diverged(f"the loss is {loss}", f"batch {len(self.state.losses) + 1}")
            self.state.losses.append(loss)
        with self._diverging(f"one of the first {len(self.state.losses)} batches"):
            self.state.sampling_seconds += self.stepper.settle()

    def _pause(self, due: bool) -> None:
        """Save if a checkpoint is due in any process, and stop if a signal was received."""
        number, save = self.processes.largest(self.stop.received, due)
        saved = bool(number or save) and self._save()
        if number:
            where = place(self.state.epoch, self.state.batch, self.settings.max_epochs)
            raise RunStoppedError.at(number, where, saved)

    def _save(self) -> bool:
        if self.saver is None:
            return False
        self._read_losses()
        with self._diverging(self._before_this):
            checkpoint = pack_state(self.state, self._parts, self.sampler)
        return self.saver.save(checkpoint, self.watcher.on_notice)

    @property
    def _until_now(self) -> str:
        """Name the batch of a bad score, or a range: an asynchronous device reports it late."""
        number = self.state.batch + 1
        known = number == 1 or self.device.type == "cpu"
        return f"batch {number}" if known else f"one of the first {number} batches"

    @property
    def _before_this(self) -> str:
        return f"a batch before batch {self.state.batch + 1}"

    @contextmanager
    def _diverging(self, where: str) -> Iterator[None]:
        """Convert the error of a score that is not finite to `TrainingDivergedError`."""
        try:
            yield
        except InvalidScoresError as error:
            raise self._diverged("a score is not finite", where) from error

    def _diverged(self, what: str, where: str) -> TrainingDivergedError:
        if isinstance(self.sampler, GenNi):
            hardness = f"alpha = {self.sampler.alpha:g}, beta = {self.sampler.beta:g}"
        else:
            hardness = type(self.sampler).__name__
        return TrainingDivergedError(
            f"{what} in {where} of epoch {self.state.epoch + 1} ({hardness}); lower the learning "
            "rate or alpha"
        )

    def evaluate(self, evaluation: Evaluation, mask_seen: bool = True) -> Metrics:
        """Rank all items for each user; see :func:`negsamp_models.evaluation.rank_users`."""
        users = self.processes.share(np.arange(len(evaluation.answers)))
        ranks = torch.zeros(len(evaluation.answers), dtype=torch.int64, device=self.device)
        if len(users):
            own = rank_users(self.model, evaluation.take(users), mask_seen)
            ranks[torch.tensor(users, device=self.device)] = own
        return Metrics.of_ranks(self.processes.total(ranks))
