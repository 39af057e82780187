"""Measure one epoch of SASRec on Amazon Beauty with each sampler."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

from benchmarks.contenders.epochs import prepare
from benchmarks.gpu.device import Device
from benchmarks.records import Measurement, Seconds
from benchmarks.settings import Epoch
from benchmarks.work import Contender, NotMeasuredError

__all__ = ["CAPTURED", "PACKED", "SETTINGS", "measure_epochs"]

SETTINGS = (Epoch("Beauty", "uniform"), Epoch("Beauty", "popularity"), Epoch("Beauty", "genni"))
REPEATS = 3
"""Timed runs, after an untimed one."""
PACKED, CAPTURED = "negsamp", "negsamp, CUDA graphs"


def measure_epochs(
    device: Device, settings: Sequence[Epoch], deadline: float, tell: Callable[[str], None]
) -> tuple[list[Measurement], bool]:
    """Time an epoch with each sampler, packed and as CUDA graphs, in several runs from the start.

    The first run compiles, copies and fills caches, and does not count.

    Parameters
    ----------
    device, deadline, tell
        As for :func:`benchmarks.gpu.draws.measure_draws`.
    settings : sequence of Epoch
        The data and the samplers.

    Returns
    -------
    tuple of (list of Measurement, bool)
        The measurements, and whether no epoch was skipped.
    """
    measurements: list[Measurement] = []
    for setting, ours in product(settings, _contenders(device)):
        if time.monotonic() > deadline:
            return measurements, False
        found = _measure(setting, ours)
        measurements.append(found)
        figure = found.reason if found.seconds is None else f"{found.seconds.median:.3g} s"
        tell(f"{setting.dataset}, {setting.law}, {ours.name}: {found.status} {figure}")
    return measurements, True


def _contenders(device: Device) -> list[Contender]:
    """Return both kinds of steps; the second epoch is timed, as the first may capture graphs."""
    one = partial(prepare, backend="torch", device=device.name, number=1)
    ways = {PACKED: one, CAPTURED: partial(one, cuda_graphs=True)}
    return [Contender(name, "ours", ("epoch",), way) for name, way in ways.items()]


def _measure(setting: Epoch, ours: Contender) -> Measurement:
    samples = []
    try:
        work = ours.prepare(setting)
        assert work.seconds is not None  # epochs are timed by the watcher
        for _ in range(1 + REPEATS):
            made = work.run()
            samples.append(work.seconds(made))
        wrong = work.wrong(made)
    except NotMeasuredError as why:
        return Measurement.without_figure(ours, setting, "skipped", str(why))
    except ImportError as error:
        return Measurement.without_figure(ours, setting, "missing", str(error))
    except Exception as error:  # noqa: BLE001  (the other epochs continue)
        reason = f"{type(error).__name__}: {error}"
        return Measurement.without_figure(ours, setting, "failed", reason)
    if wrong is not None:
        return Measurement.without_figure(ours, setting, "wrong", wrong)
    seconds = Seconds.of(samples[1:])
    return Measurement(ours.name, ours.role, setting, "measured", seconds=seconds)
