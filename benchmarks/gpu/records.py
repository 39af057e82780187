"""Result files of GPU runs, one per part; those of quick runs are refused in reports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.records import CaseResult, Measurement
from negsamp_models.files.writing import write_json

__all__ = ["PartResult", "TestCount", "read_parts"]

NOT_MEASURED = "not a GPU measurement"


@dataclass(frozen=True)
class TestCount:
    """Outcomes of the tests of one file.

    Attributes
    ----------
    file : str
        Its path in the checkout.
    passed, failed, skipped : int
        Numbers of tests; one that cannot be set up counts as failed.
    seconds : float
        Their total duration.
    """

    __test__ = False  # not a test class for pytest

    file: str
    passed: int
    failed: int
    skipped: int
    seconds: float


@dataclass(frozen=True)
class PartResult:
    """The result of one part.

    Attributes
    ----------
    part : str
        Its name.
    conditions : dict
        Device, clocks, versions, source; "quick" marks a quick run, which has a "note".
    measurements : list of Measurement
        Times and memory, if the part measures.
    tests : list of TestCount
        Test counts, if the part runs tests.
    whole : bool
        Whether the part was completed.
    """

    part: str
    conditions: dict[str, Any]
    measurements: list[Measurement] = field(default_factory=list)
    tests: list[TestCount] = field(default_factory=list)
    whole: bool = True

    @property
    def passed(self) -> bool:
        """Whether it was completed, something was tested or measured, and nothing failed.

        Whether bars are met does not matter.
        """
        failed = any(each.failed for each in self.tests)
        failed |= any(each.status not in ("measured", "skipped") for each in self.measurements)
        measured = any(each.seconds is not None for each in self.measurements)
        return self.whole and not failed and (measured or any(each.passed for each in self.tests))

    def as_case(self) -> CaseResult:
        """Return the measurements as a case result, for the look-up by bars."""
        return CaseResult(self.part, "", None, 1, "time", self.conditions, self.measurements)

    def write(self, folder: Path, bars: Sequence[dict[str, Any]]) -> Path:
        """Write the file of the part with the outcome of its bars, completely or not at all."""
        path = folder / f"{self.part}.json"
        write_json(path, asdict(self) | {"bars": list(bars)})
        return path

    @classmethod
    def read(cls, path: Path) -> PartResult:
        """Read a file.

        Raises
        ------
        ValueError
            If it is not the result of a part, or is of a quick run.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            content.pop("bars")
            measurements = [Measurement.from_json(each) for each in content["measurements"]]
            tests = [TestCount(**each) for each in content["tests"]]
            result = cls(**content | {"measurements": measurements, "tests": tests})
            quick = result.conditions["quick"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not the result of a part: {error!r}") from error
        if quick:
            raise ValueError(f"{path} is {result.conditions['note']}: remove it from the folder")
        return result


def read_parts(folder: Path) -> list[PartResult]:
    """Read all result files of a folder, in the order of their names."""
    return [PartResult.read(path) for path in sorted(folder.glob("*.json"))]
