"""Measure draws on the device beside peers and references, interleaved."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.gpu.arithmetic import Rates
from benchmarks.gpu.contenders import ARITHMETIC, DTYPES, as_graph, contenders
from benchmarks.gpu.device import Device
from benchmarks.problems import Problem
from benchmarks.records import Measurement, Seconds, Status
from benchmarks.settings import Draw
from benchmarks.work import Contender, Work

__all__ = ["SETTINGS", "measure_draws"]

SETTINGS = (
    Draw("genni", 12_800, 12_101),
    Draw("genni", 12_800, 1_000_000),
    *(
        Draw(law, rows, 12_101, num_negatives=num_negatives, exclude="interactions")
        for law in ("uniform", "popularity")
        for rows, num_negatives in ((12_800, 1), (12_800, 100), (1_000_000, 1))
    ),
)
REPEATS, SHORTEST_REPEAT, WARM_UPS = 15, 0.01, 3
"""Repeats per contender, least seconds of a repeat, and untimed runs before the first."""
LARGEST_SCORES = 4_000_000_000
"""Bytes; contenders that build a larger score matrix are skipped."""


@dataclass
class _Entrant:
    """A contender with its prepared work and its samples: seconds per call, one per repeat.

    `trouble` is why there are no more of them.
    """

    contender: Contender
    work: Work
    runs: int = 1
    samples: list[float] = field(default_factory=list)
    trouble: tuple[Status, str] | None = None


def measure_draws(
    device: Device,
    rates: Rates | None,
    settings: Sequence[Draw],
    deadline: float,
    tell: Callable[[str], None],
) -> tuple[list[Measurement], bool]:
    """Measure settings one after the other, with the contenders of each interleaved.

    Parameters
    ----------
    device : Device
        The device.
    rates : Rates or None
        Rates of the arithmetic alone, if known.
    settings : sequence of Draw
        The draws.
    deadline : float
        In ``time.monotonic()``; settings that would start later are skipped.
    tell : callable
        Called with a line of text for each measurement.

    Returns
    -------
    tuple of (list of Measurement, bool)
        The measurements, and whether no setting was skipped.
    """
    measurements: list[Measurement] = []
    for setting in settings:
        if time.monotonic() > deadline:
            return measurements, False
        problem = Problem.of(setting)
        ready = [
            _enter(each, problem, device)
            for each in contenders(device, rates)
            if each.takes(setting)
        ]
        entrants = [each for each in ready if isinstance(each, _Entrant)]
        for _ in range(REPEATS):
            for entrant in entrants:
                _sample(entrant, device)
        found = [
            _finish(each, problem, device) if isinstance(each, _Entrant) else each for each in ready
        ]
        for each in found:
            figure = each.reason if each.seconds is None else f"{each.seconds.median * 1e3:.3g} ms"
            tell(f"{_named(setting)}: {each.contender}: {each.status} {figure}")
        measurements += found
    return measurements, True


def _enter(contender: Contender, problem: Problem, device: Device) -> _Entrant | Measurement:
    """Warm up, check the result, and choose the number of runs in a repeat."""
    setting = problem.setting
    if contender.holds_scores and setting.score_bytes > LARGEST_SCORES:
        reason = f"needs {setting.score_bytes / 1e9:.1f} GB for its scores"
        return Measurement.without_figure(contender, setting, "skipped", reason)
    try:
        work = contender.prepare(problem)
        made: Any = None
        for _ in range(WARM_UPS):
            made = work.run()
        wrong = work.wrong(made)
        elapsed = device.seconds(work.run, 1)
    except Exception as error:  # noqa: BLE001  (the others continue)
        return Measurement.without_figure(contender, setting, *_failure(error))
    if wrong is not None:
        return Measurement.without_figure(contender, setting, "wrong", wrong)
    runs = math.ceil(SHORTEST_REPEAT / max(elapsed, 1e-6))
    return _Entrant(contender, work, 1 if work.seconds is not None else min(runs, 1000))


def _failure(error: Exception) -> tuple[Status, str]:
    text = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    return ("missing" if isinstance(error, ImportError) else "failed"), text


def _sample(entrant: _Entrant, device: Device) -> None:
    """Add a sample, unless a run fails or has failed: what others have measured is kept."""
    if entrant.trouble is not None:
        return
    work, runs = entrant.work, entrant.runs
    try:
        seconds = (
            device.seconds(work.run, runs) if work.seconds is None else work.seconds(work.run())
        )
    except Exception as error:  # noqa: BLE001
        entrant.trouble = _failure(error)
    else:
        entrant.samples.append(seconds / runs)


def _finish(entrant: _Entrant, problem: Problem, device: Device) -> Measurement:
    """Summarise the samples, check a result again, and measure the memory peak."""
    contender, setting = entrant.contender, problem.setting
    if entrant.trouble is not None:
        return Measurement.without_figure(contender, setting, *entrant.trouble)
    allocates = contender.name not in (ARITHMETIC, *map(as_graph, DTYPES))
    try:
        wrong = entrant.work.wrong(entrant.work.run())
        peak = device.peak_bytes(entrant.work.run) if allocates else None
    except Exception as error:  # noqa: BLE001
        return Measurement.without_figure(contender, setting, *_failure(error))
    if wrong is not None:
        return Measurement.without_figure(contender, setting, "wrong", wrong)
    return Measurement(
        contender.name,
        contender.role,
        setting,
        "measured",
        seconds=Seconds.of(entrant.samples, entrant.runs),
        peak_bytes=peak,
    )


def _named(setting: Draw) -> str:
    size = f"{setting.law}, {setting.rows:,} x {setting.num_items:,}"
    return size if setting.num_negatives == 1 else f"{size}, k = {setting.num_negatives}"
