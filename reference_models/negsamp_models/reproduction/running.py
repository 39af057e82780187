"""Make several runs in parallel, each in its own worker process that writes its result."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

from negsamp import NegSampError
from negsamp_models.checkpoint import CheckpointError, CheckpointFolder
from negsamp_models.claimed import claimed
from negsamp_models.datasets import load_dataset
from negsamp_models.interruption import StopSignals, end_without_parent, stop_with_parent
from negsamp_models.law import study_law
from negsamp_models.reading import read_by_key, result_files
from negsamp_models.records import CHOSEN_BY, EpochRecord, RunResult
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.order import by_need
from negsamp_models.reproduction.planned import PlannedRun, Step
from negsamp_models.reproduction.pretraining import PlannedPretraining
from negsamp_models.reproduction.replaced import keep_replaced
from negsamp_models.results import check_writable, write_json
from negsamp_models.s3rec.records import PretrainingRecord, PretrainingResult
from negsamp_models.saving import Saver
from negsamp_models.settings import RunOptions
from negsamp_models.snapshots import (
    Snapshots,
    missing_snapshots,
    read_snapshots,
    remove_snapshots,
)
from negsamp_models.training import Trainer
from negsamp_models.warnings_as_text import warnings_as_text
from negsamp_models.watching import Silent, Together

__all__ = ["Event", "Notice", "Outcome", "ProcessDiedError", "make_runs", "results_below"]

_THREADS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
_events: Queue[Event | Notice] | None = None

Outcome = RunResult | PretrainingResult | BaseException
"""The result of a step, or the exception that ended it."""


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


class ProcessDiedError(NegSampError):
    """The worker process of a run was killed before it could report a result or an error."""

    def __str__(self) -> str:
        return (
            "its process was killed, often because memory ran out; repeat the command to continue "
            "from its last checkpoint"
        )


def results_below(folder: Path) -> dict[str, RunResult]:
    """Read the results of all runs below a folder, by key; other files are ignored.

    Raises
    ------
    DatasetError
        If a result file is invalid, or two are of the same run.
    """
    return read_by_key(result_files(folder))


def make_runs(
    grids: Iterable[Grid],
    folder: Path,
    data_dir: Path | None,
    jobs: int,
    device: str,
    on_event: Callable[[Event | Notice], None],
    on_start: Callable[[Step], None],
    on_end: Callable[[Step, Outcome], None],
    cuda_graphs: bool = False,
) -> dict[str, RunResult]:
    """Make the missing runs of grids, in the order of :func:`.order.by_need`.

    A pre-training that several runs start from is made once, before them. If it fails, these runs
    are not made; the others are. Each step has its own worker process.

    Parameters
    ----------
    grids : iterable of Grid
    folder : Path
        Folder of existing and new results: one file per run, written when it ends.
    data_dir : Path or None
        As for :func:`negsamp_models.datasets.load_dataset`.
    jobs : int
        Number of runs at once; the cores are divided among them.
    device : str
        As in :class:`TrainingSettings`.
    on_event, on_start, on_end : callable
        Called with epochs and notices, and at the start and end of each step, with its result, or
        its exception if it failed. A failed step is not retried and does not stop others; the same
        holds if its process is killed, or if another command is making it, see `claimed`.
    cuda_graphs : bool
        As for :class:`~negsamp_models.training.Trainer`; not for pre-trainings.

    Returns
    -------
    dict of str to RunResult
        All results below `folder`, by key.

    Raises
    ------
    InvalidInputError
        If nothing can be written to `folder`.
    """
    check_writable(folder)
    results, failed = results_below(folder), set[str]()
    grids = list(grids)
    context = multiprocessing.get_context("spawn")
    events: Queue[Event | Notice] = context.Queue()
    running: dict[Future[Any], Step] = {}
    with _divided_cores(jobs), ExitStack() as processes:
        while True:
            taken = failed | {run.key for run in running.values()}
            for run in by_need(grids, results):
                step = run.first_step(folder)
                if len(running) < jobs and step.key not in taken:
                    taken.add(step.key)
                    on_start(step)
                    own = ProcessPoolExecutor(1, context, _set_events, (events,))
                    future = own.submit(_work, step, folder, data_dir, device, cuda_graphs)
                    own.shutdown(wait=False)  # the process ends after this step
                    processes.callback(own.shutdown)
                    running[future] = step
            if not running:
                return results
            done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            while not events.empty():
                on_event(events.get())
            for future in done:
                step, error = running.pop(future), future.exception()
                if isinstance(error, BrokenProcessPool):
                    error = ProcessDiedError()
                if error is not None:
                    failed.add(step.key)
                elif isinstance(outcome := future.result(), RunResult):
                    results[step.key] = outcome
                on_end(step, error or future.result())


def _work(
    step: Step, folder: Path, data_dir: Path | None, device: str, cuda_graphs: bool
) -> RunResult | PretrainingResult:
    """Run a step in a worker process, and end the process if the command was killed meanwhile."""
    try:
        with warnings_as_text(partial(_notice, step)):
            return _make(step, folder, data_dir, device, cuda_graphs)
    finally:
        end_without_parent()


def _make(
    step: Step, folder: Path, data_dir: Path | None, device: str, cuda_graphs: bool
) -> RunResult | PretrainingResult:
    """Run a step in this process, resuming from its last checkpoint if any."""
    if not isinstance(step, PlannedRun):
        return _pretrain(step, folder, data_dir, device)
    file = step.file(folder)
    with claimed(file):
        there = read_by_key([file] if file.exists() else [])
        if step.is_made(there):
            return there[step.key]  # another command has finished it meanwhile
        if there.keys() - {step.key}:
            raise CheckpointError(
                f"{file} holds the result of another run: move it away and repeat the command"
            )
        return _train(step, folder, data_dir, device, cuda_graphs)


def _train(
    run: PlannedRun, folder: Path, data_dir: Path | None, device: str, cuda_graphs: bool
) -> RunResult:
    """Train, and write the result."""
    dataset, file = load_dataset(run.dataset, data_dir), run.file(folder)
    settings = replace(run.settings, device=device)
    pretrained = None if run.pretraining is None else run.pretraining.read(folder)
    with StopSignals() as stop:
        trainer = Trainer(
            dataset,
            run.sampler,
            settings,
            _EventSender(run),
            stop=stop,
            pretrained=pretrained,
            cuda_graphs=cuda_graphs,
        )
        weights = file.with_suffix(".weights")
        if run.law is not None:
            kept = Snapshots(weights, trainer, run.law.epochs)
            trainer.watcher = Together(_EventSender(run), kept)
        checkpoints = CheckpointFolder(file.with_suffix(".checkpoints"), trainer.identity)
        trainer.saver = Saver(checkpoints, RunOptions(), trainer.processes)
        checkpoint = checkpoints.last(_EventSender(run).on_notice)
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


def _pretrain(
    step: PlannedPretraining, folder: Path, data_dir: Path | None, device: str
) -> PretrainingResult:
    """Pre-train, and write weights and result."""

    def send(record: PretrainingRecord) -> None:
        if _events is not None:
            _events.put(Event(step.key, record.epoch))

    return step.make(folder, data_dir, device, send, partial(_notice, step))


@dataclass
class _EventSender(Silent):
    """A watcher that sends epochs and notices to the parent process."""

    run: PlannedRun

    def on_epoch(self, record: EpochRecord, best_epoch: int) -> None:
        """Send the epoch."""
        if _events is not None:
            validation = record.validation[CHOSEN_BY]
            _events.put(Event(self.run.key, record.epoch, best_epoch, validation))

    def on_notice(self, text: str) -> None:
        """Send the notice."""
        _notice(self.run, text)


def _notice(step: Step, text: str) -> None:
    if _events is not None:
        _events.put(Notice(step.key, text))


def _set_events(events: Queue[Event | Notice]) -> None:
    global _events  # noqa: PLW0603  (the initialiser of a worker process)
    _events = events
    stop_with_parent()


@contextmanager
def _divided_cores(jobs: int) -> Iterator[None]:
    """Limit the threads of processes started here to their share of the cores, unless set."""
    share = str(max((os.cpu_count() or 1) // jobs, 1))
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update({name: value or share for name, value in before.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
