"""The work of one process: make a run or a pre-training, tell of its epochs, write its result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.queues import Queue
from pathlib import Path

from negsamp_models.checkpoints import CheckpointError, CheckpointFolder, Saver
from negsamp_models.datasets import load_dataset
from negsamp_models.display.warnings_as_text import warnings_as_text
from negsamp_models.files.claimed import claimed
from negsamp_models.files.writing import write_json
from negsamp_models.law.study import study_law
from negsamp_models.processes import StopSignals, end_without_parent, stop_with_parent
from negsamp_models.records import CHOSEN_BY, EpochRecord, RunResult
from negsamp_models.records.reading import read_by_key
from negsamp_models.reproduction.planned import PlannedRun, Step
from negsamp_models.reproduction.pretraining import PlannedPretraining
from negsamp_models.reproduction.replaced import keep_replaced
from negsamp_models.s3rec import PretrainingRecord, PretrainingResult
from negsamp_models.s3rec import watching as s3rec_watching
from negsamp_models.settings import RunOptions
from negsamp_models.training import Trainer
from negsamp_models.training.snapshots import (
    Snapshots,
    missing_snapshots,
    read_snapshots,
    remove_snapshots,
)
from negsamp_models.training.watching import Silent, Together

__all__ = ["Event", "Notice", "Workplace", "begin", "work"]


@dataclass(frozen=True)
class Workplace:
    """Where runs are made, and on what.

    Attributes
    ----------
    results : Path
        Folder of existing and new results: one file per run, written when it ends.
    data_dir : Path or None
        As for :func:`negsamp_models.datasets.load_dataset`.
    device : str
        As in :class:`~negsamp_models.settings.TrainingSettings`.
    cuda_graphs : bool
        As for :class:`~negsamp_models.training.Trainer`; not for pre-trainings.
    """

    results: Path
    data_dir: Path | None = None
    device: str = "auto"
    cuda_graphs: bool = False


@dataclass(frozen=True)
class Event:
    """A finished epoch of a run.

    Attributes
    ----------
    run : str
        Key of the run.
    epoch : int
        Counted from 0.
    best_epoch : int or None
        The best epoch so far, counted from 0; None in a pre-training, which has no validation.
    validation : float or None
        The metric that decides which epoch is best, in percent.
    """

    run: str
    epoch: int
    best_epoch: int | None = None
    validation: float | None = None


@dataclass(frozen=True)
class Notice:
    """A message of a run to the user, such as that a checkpoint could not be written.

    Attributes
    ----------
    run : str
        Key of the run.
    text : str
    """

    run: str
    text: str


_events: Queue[Event | Notice] | None = None


def begin(events: Queue[Event | Notice]) -> None:
    """Prepare a worker process, whose epochs and notices go to `events`."""
    global _events  # noqa: PLW0603  (the initialiser of a worker process)
    _events = events
    stop_with_parent()


def work(step: Step, workplace: Workplace) -> RunResult | PretrainingResult:
    """Run a step in a worker process, and end the process if the command was killed meanwhile."""
    try:
        with warnings_as_text(partial(_notice, step)):
            return _make(step, workplace)
    finally:
        end_without_parent()


def _make(step: Step, workplace: Workplace) -> RunResult | PretrainingResult:
    """Run a step in this process, resuming from its last checkpoint if any."""
    if isinstance(step, PlannedPretraining):
        sender = _PretrainingSender(step)
        return step.make(workplace.results, workplace.data_dir, workplace.device, sender)
    file = step.file(workplace.results)
    with claimed(file):
        there = read_by_key([file] if file.exists() else [])
        if step.is_made(there):
            return there[step.key]  # another command has finished it meanwhile
        if there.keys() - {step.key}:
            raise CheckpointError(
                f"{file} holds the result of another run: move it away and repeat the command"
            )
        return _train(step, workplace)


def _train(run: PlannedRun, workplace: Workplace) -> RunResult:
    """Train, and write the result."""
    dataset, file = load_dataset(run.dataset, workplace.data_dir), run.file(workplace.results)
    settings = replace(run.settings, device=workplace.device)
    pretrained = None if run.pretraining is None else run.pretraining.read(workplace.results)
    sender = _EventSender(run)
    with StopSignals() as stop:
        trainer = Trainer(
            dataset,
            run.sampler,
            settings,
            sender,
            stop=stop,
            pretrained=pretrained,
            cuda_graphs=workplace.cuda_graphs,
        )
        weights = file.with_suffix(".weights")
        if run.law is not None:
            trainer.watcher = Together(sender, Snapshots(weights, trainer, run.law.epochs))
        checkpoints = CheckpointFolder(file.with_suffix(".checkpoints"), trainer.identity)
        trainer.saver = Saver(checkpoints, RunOptions(), trainer.processes)
        checkpoint = checkpoints.last(sender.on_notice)
        if checkpoint is not None and _lacks_weights(run, weights, checkpoint.epoch):
            _notice(run, "starts over: its checkpoint lacks the early weights that the law needs")
            checkpoints.discard()
        elif checkpoint is not None:
            trainer.restore(checkpoint)
        result = trainer.run()
        if run.law is not None:
            law = study_law(trainer, result, read_snapshots(weights), run.law)
            result = replace(result, law=law.to_json())
    keep_replaced(file)
    write_json(file, result.to_json())
    checkpoints.discard()
    remove_snapshots(weights)
    return result


def _lacks_weights(run: PlannedRun, weights: Path, epochs: int) -> bool:
    """Whether weights that the law of a run needs, up to so many epochs, were not kept.

    That is so if the run was started without the law.
    """
    due = () if run.law is None else run.law.epochs
    return bool(missing_snapshots(weights, [each for each in due if each <= epochs]))


@dataclass
class _EventSender(Silent):
    """A watcher of training that sends epochs and notices to the parent process."""

    run: PlannedRun

    def on_epoch(self, record: EpochRecord, best_epoch: int) -> None:
        """Send the epoch."""
        _send(Event(self.run.key, record.epoch, best_epoch, record.validation[CHOSEN_BY]))

    def on_notice(self, message: str) -> None:
        """Send the notice."""
        _notice(self.run, message)


@dataclass
class _PretrainingSender(s3rec_watching.Silent):
    """A watcher of pre-training that sends epochs and notices to the parent process."""

    step: PlannedPretraining

    def on_epoch(self, record: PretrainingRecord) -> None:
        """Send the epoch."""
        _send(Event(self.step.key, record.epoch))

    def on_notice(self, message: str) -> None:
        """Send the notice."""
        _notice(self.step, message)


def _notice(step: Step, text: str) -> None:
    _send(Notice(step.key, text))


def _send(event: Event | Notice) -> None:
    if _events is not None:
        _events.put(event)
