"""Run benchmarks in worker processes, and write the results of each case to a file."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.cases import Case
from benchmarks.measuring.timing import Policy
from benchmarks.measuring.worker import measure_memory, measure_times
from benchmarks.records import CaseResult, Measurement
from benchmarks.settings import Setting
from benchmarks.work import Contender

__all__ = ["IDLE_THREADS", "Session", "process_with"]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
IDLE_THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_THREAD_TIMEOUT": "4"}
"""Lets idle threads of OpenMP and OpenBLAS sleep at once: they would spin for up to 2**26 cycles
after a product, and take cores from the next contender.
"""
KILLED = "the worker process was killed; memory may have run out"


@dataclass(frozen=True)
class Session:
    """Measures cases; if a worker process is killed, the remaining cases continue in a new one.

    Attributes
    ----------
    folder : Path
        Folder of the result files, one per case, written as soon as the case is done.
    policy : Policy
        Number of repeats, and limits.
    conditions : dict
        Environment of the results, stored with each.
    tell : callable
        Called with a line of text for each finished case.
    """

    folder: Path
    policy: Policy
    conditions: dict[str, Any]
    tell: Callable[[str], None] = print

    def run(self, cases: Sequence[Case]) -> bool:
        """Measure cases; return whether all were completed.

        Cases with the same number of threads share a process, because its imports take a while.
        """
        whole = True
        for threads, group in groupby(cases, lambda case: case.threads):
            waiting = deque(group)
            while waiting:
                with process_with(threads) as process:
                    whole &= self._measure(waiting, process)
        return whole

    def _measure(self, waiting: deque[Case], process: ProcessPoolExecutor) -> bool:
        """Measure until no case is left; return False if the process is killed before."""
        while waiting:
            case, started = waiting.popleft(), time.monotonic()
            try:
                if case.measure == "memory":
                    pairs = case.pairs()
                    measurements = [self._peak(*pair, case.threads) for pair in pairs]
                else:
                    measurements = process.submit(measure_times, case, self.policy).result()
            except BrokenProcessPool:
                self.tell(f"{case.key}: {KILLED}")
                return False
            self._keep(case, measurements)
            count = sum(each.status == "measured" for each in measurements)
            took = time.monotonic() - started
            self.tell(f"{case.key}: {count} of {len(measurements)} measured in {took:.0f} s")
        return True

    def _peak(self, setting: Setting, contender: Contender, threads: int) -> Measurement:
        try:
            with process_with(threads) as process:
                name = contender.name
                return process.submit(_measure_peak, name, setting, self.policy).result()
        except BrokenProcessPool:
            return Measurement.without_figure(contender, setting, "failed", KILLED)

    def _keep(self, case: Case, measurements: list[Measurement]) -> None:
        conditions = self.conditions | {"policy": asdict(self.policy)}
        result = CaseResult(
            case.name,
            case.about,
            case.axis,
            case.threads,
            case.measure,
            conditions,
            measurements,
        )
        result.write(self.folder / f"{case.key}.json")


@contextmanager
def process_with(threads: int) -> Iterator[ProcessPoolExecutor]:
    """Start a worker process whose libraries use a given number of threads."""
    before = dict(os.environ)
    os.environ |= dict.fromkeys(THREAD_VARIABLES, str(threads)) | IDLE_THREADS
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, context, _silence_libraries) as process:
            yield process
    finally:
        os.environ.clear()
        os.environ |= before


def _silence_libraries() -> None:
    """Suppress warnings and stderr of libraries; errors of contenders are recorded."""
    warnings.simplefilter("ignore")
    with Path(os.devnull).open("wb") as null:
        os.dup2(null.fileno(), sys.stderr.fileno())


def _measure_peak(name: str, setting: Setting, policy: Policy) -> Measurement:
    """Measure a contender given by name, as its `prepare` function may not be picklable."""
    from benchmarks.contenders import taking_part  # noqa: PLC0415

    return measure_memory(taking_part(setting, (name,))[0], setting, policy)
