"""The figures that the paper prints, and how near to one of them a mean of ours is."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

__all__ = ["PaperFigure", "compare_with", "paper_figure"]

UNSTATED_DEVIATION = 0.03
"""Deviation over seeds, of the mean, assumed where the paper prints none."""


@dataclass(frozen=True)
class PaperFigure:
    """A mean over the paper's four seeds, in percent or seconds.

    Attributes
    ----------
    mean : float
    deviation : float or None
        Over the seeds, where the paper prints it.
    """

    mean: float
    deviation: float | None = None


@cache
def _numbers() -> dict[str, Any]:
    text = files(__package__).joinpath("paper.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def paper_figure(path: str, metric: str, place: int | None = None) -> PaperFigure | None:
    """Return a figure of the paper, or None where it has none that can be read.

    Parameters
    ----------
    path : str
        Keys into ``paper.toml``, joined by "/", such as ``"table1/Beauty/SASRec"``.
    metric : str
        Such as ``"HR@5"``, or ``"s/epoch"``.
    place : int, optional
        Index into a list of figures, one a point of the table's sweep.
    """
    cell: Any = _numbers()
    for key in path.split("/"):
        if not isinstance(cell, dict) or key not in cell:
            return None
        cell = cell[key]
    mean, deviation = cell.get(metric), cell.get(f"{metric} std")
    if isinstance(mean, list):
        mean = mean[place] if place is not None and place < len(mean) else None
    return None if mean is None else PaperFigure(float(mean), deviation)


def compare_with(
    figure: PaperFigure, mean: float, deviation: float
) -> Literal["inside", "above", "below"]:
    """Say whether a mean of ours is within the paper's range.

    It is inside if the two means differ by at most two deviations over seeds of their difference,
    ``2 sqrt(s**2 + t**2)``.

    Parameters
    ----------
    figure : PaperFigure
        The paper's mean and s; where s is not printed, 3 % of the mean.
    mean, deviation : float
        Ours; t is 0 for a single seed.
    """
    theirs = figure.deviation
    if theirs is None:
        theirs = UNSTATED_DEVIATION * figure.mean
    if abs(mean - figure.mean) <= 2 * math.hypot(theirs, deviation):
        return "inside"
    return "above" if mean > figure.mean else "below"
