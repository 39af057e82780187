"""A run of the benchmarks: fresh processes measure, and each case's results become a file."""

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
from benchmarks.records import CaseResult, Measurement
from benchmarks.settings import Setting
from benchmarks.timing import Policy
from benchmarks.work import Contender
from benchmarks.worker import measure_memory, measure_times

__all__ = ["Session", "process_with"]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
IDLE_THREADS = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Idle threads of OpenMP sleep: spinning, they would take the cores of who is measured next."""
ENDED = "the process was ended from outside; memory may have run out"


@dataclass(frozen=True)
class Session:
    """Measures cases; the end of one process does not end the others.

    Attributes
    ----------
    folder : Path
        Of the result files, one for each case, written as soon as it is done.
    policy : Policy
        How often is measured.
    conditions : dict
        What else the results depend on; kept with each.
    tell : callable
        Is given a line for each case that is done.
    """

    folder: Path
    policy: Policy
    conditions: dict[str, Any]
    tell: Callable[[str], None] = print

    def run(self, cases: Sequence[Case]) -> bool:
        """Measure cases; return whether none was cut short.

        Those with the same number of threads share a process, since its imports take a while.
        """
        whole = True
        for threads, group in groupby(cases, lambda case: case.threads):
            waiting = deque(group)
            while waiting:
                with process_with(threads) as process:
                    whole &= self._work_off(waiting, process)
        return whole

    def _work_off(self, waiting: deque[Case], process: ProcessPoolExecutor) -> bool:
        """Measure until nothing waits, or the process ends."""
        while waiting:
            case, started = waiting.popleft(), time.monotonic()
            try:
                if case.measure == "memory":
                    pairs = case.pairs()
                    measurements = [self._peak(*pair, case.threads) for pair in pairs]
                else:
                    measurements = process.submit(measure_times, case, self.policy).result()
            except BrokenProcessPool:
                self.tell(f"{case.key}: {ENDED}")
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
            return Measurement.without_figure(contender, setting, "failed", ENDED)

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
    """Give a fresh process whose libraries are loaded with so many threads."""
    before = dict(os.environ)
    os.environ |= dict.fromkeys(THREAD_VARIABLES, str(threads)) | IDLE_THREADS
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, context, _be_quiet) as process:
            yield process
    finally:
        os.environ.clear()
        os.environ |= before


def _be_quiet() -> None:
    """Drop what libraries have to say; what contenders raise is recorded."""
    warnings.simplefilter("ignore")
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stderr.fileno())


def _measure_peak(name: str, setting: Setting, policy: Policy) -> Measurement:
    """Measure a contender by its name: what prepares its work may not travel to a process."""
    from benchmarks.contenders import taking_part  # noqa: PLC0415

    return measure_memory(taking_part(setting, (name,))[0], setting, policy)
