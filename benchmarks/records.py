"""Measurements, and their result files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.settings import Draw, Setting, setting_from
from benchmarks.work import Contender, Role
from negsamp_models.files.writing import write_json

__all__ = ["CaseResult", "Measurement", "Seconds", "Status", "read_results"]

Status = Literal["measured", "missing", "skipped", "wrong", "failed"]
FORMER_ROLES: dict[str, Role] = {"floor": "reference"}
"""Roles as named in older files."""


@dataclass(frozen=True)
class Seconds:
    """Seconds of one call, over repeats.

    Attributes
    ----------
    median, min, max : float
        Over the repeats; each repeat is the mean of its calls.
    repeats, calls : int
        Number of repeats, and of calls in each.
    """

    median: float
    min: float
    max: float
    repeats: int
    calls: int = 1

    @classmethod
    def of(cls, samples: list[float], calls: int = 1) -> Seconds:
        """Summarise the repeats."""
        median = float(np.median(samples))
        return cls(median, min(samples), max(samples), len(samples), calls)


@dataclass(frozen=True)
class Measurement:
    """One contender on one setting.

    Attributes
    ----------
    contender, role : str
        Name and role.
    setting : Setting
        What was measured.
    status : {"measured", "missing", "skipped", "wrong", "failed"}
        "missing": not installed; "skipped": needs too much time or memory, or does not support
        the setting; "wrong": drew an inadmissible item; "failed": raised an error.
    reason : str
        Why there is no figure.
    seconds : Seconds or None
        Time of a call; of a single call if memory was measured.
    peak_bytes : int or None
        Peak of resident memory above the inputs, if measured.
    """

    contender: str
    role: Role
    setting: Setting
    status: Status
    reason: str = ""
    seconds: Seconds | None = None
    peak_bytes: int | None = None

    @property
    def draws_per_second(self) -> float | None:
        """Rows times negatives over the time of a call; None without a time, or for epochs."""
        if self.seconds is None or not isinstance(self.setting, Draw):
            return None
        return self.setting.rows * self.setting.num_negatives / self.seconds.median

    @classmethod
    def without_figure(
        cls, contender: Contender, setting: Setting, status: Status, reason: str
    ) -> Measurement:
        """Return a measurement without a figure, with the reason."""
        return cls(contender.name, contender.role, setting, status, reason)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Measurement:
        """Rebuild a measurement from a result file."""
        seconds = content["seconds"]
        return cls(
            contender=content["contender"],
            role=FORMER_ROLES.get(content["role"], content["role"]),
            setting=setting_from(content["setting"]),
            status=content["status"],
            reason=content["reason"],
            seconds=None if seconds is None else Seconds(**seconds),
            peak_bytes=content["peak_bytes"],
        )


@dataclass(frozen=True)
class CaseResult:
    """All measurements of a case, with their conditions.

    Attributes
    ----------
    name, about, axis, threads, measure
        Of the :class:`benchmarks.cases.Case`.
    conditions : dict
        Machine, versions, source, backend, and the policy of repeats.
    measurements : list of Measurement
        In the order of settings, then contenders.
    """

    name: str
    about: str
    axis: str | None
    threads: int
    measure: str
    conditions: dict[str, Any]
    measurements: list[Measurement]

    def of(self, contender: str, **fields: Any) -> Measurement | None:
        """Return the first measurement of a contender whose setting has these fields."""
        for each in self.measurements:
            table = asdict(each.setting)
            if each.contender == contender and fields.items() <= table.items():
                return each
        return None

    def write(self, path: Path) -> None:
        """Write the file, completely or not at all."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> CaseResult:
        """Read a file.

        Raises
        ------
        ValueError
            If it is not the result of a case.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            measurements = [Measurement.from_json(each) for each in content["measurements"]]
            return cls(**content | {"measurements": measurements})
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not the result of a case: {error!r}") from error


def read_results(folder: Path) -> list[CaseResult]:
    """Read all result files of a folder, in the order of their names."""
    return [CaseResult.read(path) for path in sorted(folder.glob("*.json"))]
