"""Code of the worker processes: prepare the entrants of a case, and measure them interleaved."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby
from typing import TypeVar

from benchmarks.cases import Case
from benchmarks.measuring.memory import peak_of
from benchmarks.measuring.timing import Entrant, Policy, alternate
from benchmarks.problems import Problem
from benchmarks.records import Measurement, Seconds, Status
from benchmarks.settings import Draw, Epoch, Setting
from benchmarks.work import Contender, NotMeasuredError

__all__ = ["measure_memory", "measure_times"]

PROBE_DIVISOR, SMALL_BATCH = 16, 128
"""A trial draws one row in PROBE_DIVISOR to estimate the time of a call; a batch of at most
SMALL_BATCH rows is tried as a whole."""
EPOCH_ESTIMATE = 1.0
"""Estimate for an epoch in seconds, short enough that it is repeated however long it takes."""

Result = TypeVar("Result")


def measure_times(case: Case, policy: Policy) -> list[Measurement]:
    """Measure the times of a case; settings that share their inputs are interleaved.

    Parameters
    ----------
    case : Case
        What to measure.
    policy : Policy
        Numbers of repeats, and limits.

    Returns
    -------
    list of Measurement
        By setting, then contender, including those without a figure.
    """
    measurements: list[Measurement] = []
    for _, pairs in groupby(case.pairs(), lambda pair: pair[0].inputs):
        ready = [_enter(contender, setting, policy) for setting, contender in pairs]
        entrants = [each for each in ready if isinstance(each, Entrant)]
        measured = iter(alternate(entrants, policy))
        measurements += [next(measured) if isinstance(each, Entrant) else each for each in ready]
    return measurements


def measure_memory(contender: Contender, setting: Setting, policy: Policy) -> Measurement:
    """Measure the memory peak of one call, in a fresh process.

    A small call comes first, so that imports, compilation and other one-time costs are not counted.
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

    return _or_reason(contender, setting, policy, measure)


def _enter(contender: Contender, setting: Setting, policy: Policy) -> Entrant | Measurement:
    """Try a part of the work to check it and estimate its time, then prepare all of it."""

    def enter() -> Entrant | Measurement:
        if isinstance(setting, Epoch):
            contender.prepare(setting.quick()).run()
            return Entrant(contender, setting, contender.prepare(setting), EPOCH_ESTIMATE)
        problem = Problem.of(setting)
        rows = setting.rows if setting.rows <= SMALL_BATCH else setting.rows // PROBE_DIVISOR
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

    return _or_reason(contender, setting, policy, enter)


def _or_reason(
    contender: Contender, setting: Setting, policy: Policy, attempt: Callable[[], Result]
) -> Result | Measurement:
    """Return the result of an attempt, or a measurement with the reason why it failed."""
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
    except Exception as error:  # noqa: BLE001  (the others continue)
        status, reason = "failed", f"{type(error).__name__}: {error}"
    return Measurement.without_figure(contender, setting, status, reason)
