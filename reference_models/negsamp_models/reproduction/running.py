"""Make several runs in parallel, each in its own worker process."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any, Protocol

from negsamp import NegSampError
from negsamp_models.files.writing import check_writable
from negsamp_models.records import RunResult
from negsamp_models.records.reading import read_by_key, result_files
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.order import by_need
from negsamp_models.reproduction.planned import Step
from negsamp_models.reproduction.worker import Event, Notice, Workplace, begin, work
from negsamp_models.s3rec import PretrainingResult

__all__ = ["Listener", "Outcome", "ProcessDiedError", "make_runs", "results_below"]

_THREADS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")

Outcome = RunResult | PretrainingResult | BaseException
"""The result of a step, or the exception that ended it."""


class Listener(Protocol):
    """Is told how runs go."""

    def on_start(self, step: Step) -> None:
        """Handle the start of a step."""
        ...

    def on_event(self, event: Event | Notice) -> None:
        """Handle an epoch or a notice, which may arrive after the end of its step."""
        ...

    def on_end(self, step: Step, outcome: Outcome) -> None:
        """Handle the end of a step, with its result, or its exception if it failed."""
        ...


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
    ResultError
        If a result file is invalid, or two are of the same run.
    """
    return read_by_key(result_files(folder))


def make_runs(
    grids: Iterable[Grid], workplace: Workplace, jobs: int, listener: Listener
) -> dict[str, RunResult]:
    """Make the missing runs of grids, in the order of :func:`.order.by_need`.

    A pre-training that several runs start from is made once, before them. If it fails, these runs
    are not made; the others are. Each step has its own worker process. A failed step is not retried
    and does not stop others; the same holds if its process is killed, or if another command is
    making it, see `claimed`.

    Parameters
    ----------
    grids : iterable of Grid
    workplace : Workplace
    jobs : int
        Number of runs at once; the cores are divided among them.
    listener : Listener

    Returns
    -------
    dict of str to RunResult
        All results below the folder of results, by key.

    Raises
    ------
    InvalidInputError
        If nothing can be written to that folder.
    """
    check_writable(workplace.results)
    results, failed = results_below(workplace.results), set[str]()
    grids = list(grids)
    context = multiprocessing.get_context("spawn")
    events: Queue[Event | Notice] = context.Queue()
    running: dict[Future[Any], Step] = {}
    with _divided_cores(jobs), ExitStack() as processes:
        while True:
            taken = failed | {run.key for run in running.values()}
            for run in by_need(grids, results):
                step = run.first_step(workplace.results)
                if len(running) < jobs and step.key not in taken:
                    taken.add(step.key)
                    listener.on_start(step)
                    own = ProcessPoolExecutor(1, context, begin, (events,))
                    future = own.submit(work, step, workplace)
                    own.shutdown(wait=False)  # the process ends after this step
                    processes.callback(own.shutdown)
                    running[future] = step
            if not running:
                break
            done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            _pass_on(events, listener)
            for future in done:
                step, error = running.pop(future), future.exception()
                if isinstance(error, BrokenProcessPool):
                    error = ProcessDiedError()
                if error is not None:
                    failed.add(step.key)
                elif isinstance(outcome := future.result(), RunResult):
                    results[step.key] = outcome
                listener.on_end(step, error or future.result())
    _pass_on(events, listener)  # all processes have ended, and sent what they had to say
    return results


def _pass_on(events: Queue[Event | Notice], listener: Listener) -> None:
    """Pass on what has arrived."""
    while not events.empty():
        listener.on_event(events.get())


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
