"""Growth of a cost along an axis: the exponent of the best-fitting power law."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.records import CaseResult
from benchmarks.work import Role

__all__ = ["AXES", "Growth", "exponent", "growths"]

AXES = {
    "num_items": "items of the catalogue, V",
    "num_negatives": "negatives a row, k",
    "rows": "rows of the batch",
    "threads": "threads",
}
"""The axes in words."""


@dataclass(frozen=True)
class Growth:
    """How the time of a contender grows along an axis.

    Attributes
    ----------
    contender, role, axis : str
        The contender, and the axis.
    values, seconds : list of float
        At least two points of the axis, ascending, and the median time at each.
    exponent : float
        Slope of the least-squares line through the logarithms.
    """

    contender: str
    role: Role
    axis: str
    values: list[float]
    seconds: list[float]

    @property
    def exponent(self) -> float:
        """Slope of the least-squares line through the logarithms."""
        return exponent(self.values, self.seconds)


def exponent(values: Sequence[float], seconds: Sequence[float]) -> float:
    """Return p of the law seconds = c * values ** p that fits best, by least squares of logs.

    Parameters
    ----------
    values, seconds : sequence of float
        Positive, of equal length, with at least two distinct values.

    Returns
    -------
    float

    Examples
    --------
    >>> exponent([1, 10, 100], [3, 30, 300])
    1.0
    """
    x, y = np.log(np.asarray(values, float)), np.log(np.asarray(seconds, float))
    x, y = x - x.mean(), y - y.mean()
    return float(round((x @ y) / (x @ x), 10))


def growths(results: Sequence[CaseResult]) -> dict[str, list[Growth]]:
    """Return the growth of each contender by axis, where at least two points were measured."""
    points: dict[tuple[str, str, Role], dict[float, float]] = {}
    for result in results:
        if result.axis is None:
            continue
        for each in result.measurements:
            if each.seconds is not None:
                table = asdict(each.setting) | {"threads": result.threads}
                line = points.setdefault((result.axis, each.contender, each.role), {})
                line[float(table[result.axis])] = each.seconds.median
    found: dict[str, list[Growth]] = {}
    for (axis, contender, role), line in points.items():
        if len(line) > 1:
            values = sorted(line)
            seconds = [line[value] for value in values]
            found.setdefault(axis, []).append(Growth(contender, role, axis, values, seconds))
    return found
