"""What a process that measures does: prepare all entrants of a case, and measure them in turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby
from typing import TypeVar

from benchmarks.cases import Case
from benchmarks.memory import peak_of
from benchmarks.problems import Problem
from benchmarks.records import Measurement, Seconds, Status
from benchmarks.settings import Draw, Epoch, Setting
from benchmarks.timing import Entrant, Policy, alternate
from benchmarks.work import Contender, NotMeasuredError

__all__ = ["measure_memory", "measure_times"]

PROBED_SHARE, SMALL = 16, 128
"""One row in so many is drawn first, to find out how long all would take; small batches at once."""
EPOCH_ESTIMATE = 1.0
"""Seconds; short enough for an epoch to be repeated, whatever it takes."""

Result = TypeVar("Result")


def measure_times(case: Case, policy: Policy) -> list[Measurement]:
    """Measure the times of a case, those who share their inputs in turn.

    Parameters
    ----------
    case : Case
        What to measure.
    policy : Policy
        How often, and what is left out.

    Returns
    -------
    list of Measurement
        In the order of settings, then contenders, those without a figure too.
    """
    measurements: list[Measurement] = []
    for _, pairs in groupby(case.pairs(), lambda pair: pair[0].inputs):
        ready = [_enter(contender, setting, policy) for setting, contender in pairs]
        entrants = [each for each in ready if isinstance(each, Entrant)]
        measured = iter(alternate(entrants, policy))
        measurements += [next(measured) if isinstance(each, Entrant) else each for each in ready]
    return measurements


def measure_memory(contender: Contender, setting: Setting, policy: Policy) -> Measurement:
    """Measure the peak of memory of one call; the process must be a fresh one.

    A small call comes first: what is imported, compiled and started once belongs to no call.
    """

    def measure() -> Measurement:
        if not isinstance(setting, Draw):
            raise NotMeasuredError("the memory of an epoch is not measured")
        contender.prepare(Problem.of(replace(setting, rows=64, num_items=4_000))).run()
        work = contender.prepare(Problem.of(setting))
        started = time.perf_counter()
        made, peak = peak_of(work.run)
        seconds = Seconds.of([time.perf_counter() - started])
        if (wrong := work.wrong(made)) is not None:
            return Measurement.without_figure(contender, setting, "wrong", wrong)
        return Measurement(
            contender.name, contender.role, setting, "measured", seconds=seconds, peak_bytes=peak
        )

    return _excused(contender, setting, policy, measure)


def _enter(contender: Contender, setting: Setting, policy: Policy) -> Entrant | Measurement:
    """Try a part of the work, then prepare all of it."""

    def enter() -> Entrant | Measurement:
        if isinstance(setting, Epoch):
            contender.prepare(setting.quick()).run()
            return Entrant(contender, setting, contender.prepare(setting), EPOCH_ESTIMATE)
        problem = Problem.of(setting)
        rows = setting.rows if setting.rows <= SMALL else setting.rows // PROBED_SHARE
        part = problem if rows == setting.rows else problem.head(rows)
        trial = contender.prepare(part)
        trial.run()
        started = time.perf_counter()
        made = trial.run()
        estimate = (time.perf_counter() - started) * setting.rows / rows
        if (wrong := trial.wrong(made)) is not None:
            return Measurement.without_figure(contender, setting, "wrong", wrong)
        if estimate > policy.longest_call:
            raise NotMeasuredError(f"a call would take about {estimate:.0f} s")
        if part is problem:
            return Entrant(contender, setting, trial, estimate)
        work = contender.prepare(problem)
        if estimate < policy.settle:
            work.run()
        return Entrant(contender, setting, work, estimate)

    return _excused(contender, setting, policy, enter)


def _excused(
    contender: Contender, setting: Setting, policy: Policy, attempt: Callable[[], Result]
) -> Result | Measurement:
    """Return what the attempt returns; say why there is nothing where it cannot be made."""
    status: Status
    scores = setting.score_bytes if contender.holds_scores and isinstance(setting, Draw) else 0
    if scores > policy.largest_scores:
        reason = f"needs {scores / 1e9:.1f} GB for its scores"
        return Measurement.without_figure(contender, setting, "skipped", reason)
    try:
        return attempt()
    except ImportError as error:
        status, reason = "missing", str(error)
    except NotMeasuredError as why:
        status, reason = "skipped", str(why)
    except Exception as error:  # noqa: BLE001  (the others go on)
        status, reason = "failed", f"{type(error).__name__}: {error}"
    return Measurement.without_figure(contender, setting, status, reason)
