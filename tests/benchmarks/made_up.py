"""Made-up contenders, measurements and results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.records import CaseResult, Measurement, Seconds
from benchmarks.settings import Draw, Setting
from benchmarks.work import Contender, Role, Work

Prepare = Callable[[Any], Work]
CONDITIONS = {
    "machine": "cpu (a machine)",
    "memory_gib": 8,
    "versions": {"numpy": "2.0"},
    "source": "0123456789ab",
    "backend": "numba",
    "quick": False,
    "policy": {"least_repeats": 3, "most_repeats": 9, "once": 2.0},
}


def contender(name: str, prepare: Prepare, role: Role = "peer", **changed: Any) -> Contender:
    return Contender(name, role, ("genni", "uniform", "popularity"), prepare, **changed)


def measured(
    name: str,
    setting: Setting,
    seconds: float | None = 1.0,
    peak_bytes: int | None = None,
    role: Role = "ours",
) -> Measurement:
    figure = None if seconds is None else Seconds(seconds, seconds, seconds, 3)
    return Measurement(name, role, setting, "measured", seconds=figure, peak_bytes=peak_bytes)


def result(
    measurements: list[Measurement], name: str = "genni-batch", **changed: Any
) -> CaseResult:
    fields: dict[str, Any] = {
        "about": "A case.",
        "axis": None,
        "threads": 2,
        "measure": "time",
        "conditions": CONDITIONS,
    }
    return CaseResult(name=name, measurements=measurements, **fields | changed)


DRAW = Draw("genni", 1_500, 12_101)
