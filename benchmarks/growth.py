"""How a cost grows: the exponent of the power law that fits it best."""

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
"""What grows, in words."""


@dataclass(frozen=True)
class Growth:
    """How the time of a contender grows along an axis.

    Attributes
    ----------
    contender, role, axis : str
        Who, and along what.
    values, seconds : list of float
        Points of the axis, ascending, and the median time at each; at least two.
    exponent : float
        Slope of the straight line through their logarithms.
    """

    contender: str
    role: Role
    axis: str
    values: list[float]
    seconds: list[float]

    @property
    def exponent(self) -> float:
        """Slope of the straight line that fits the logarithms best."""
        return exponent(self.values, self.seconds)


def exponent(values: Sequence[float], seconds: Sequence[float]) -> float:
    """Return p of the law seconds = c * values ** p that fits best, by least squares of logs.

    Parameters
    ----------
    values, seconds : sequence of float
        Positive, of one length, at least two different values.

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
    """Return the growths of each contender, by axis, where two or more points were measured."""
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
