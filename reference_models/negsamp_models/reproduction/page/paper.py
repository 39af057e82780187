"""The figures printed in the paper."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from negsamp_models.reproduction.page.means import ASSUMED, Pool, Variance, error_of

__all__ = ["NUM_SEEDS_OF_THE_PAPER", "PaperFigure", "paper_figure"]

NUM_SEEDS_OF_THE_PAPER = 4
UNSTATED_DEVIATION = 0.03
"""Standard deviation over seeds, relative to the mean, assumed where the paper prints none."""


@dataclass(frozen=True)
class PaperFigure:
    """A mean over the paper's four seeds, in percent or seconds.

    Attributes
    ----------
    mean : float
    deviation : float or None
        Standard deviation over the seeds; None if not printed.
    """

    mean: float
    deviation: float | None = None

    @property
    def variance(self) -> Variance:
        """Squared standard error; a deviation that is not printed is taken as 3 % of the mean."""
        deviation, pool = UNSTATED_DEVIATION * self.mean, ASSUMED
        if self.deviation is not None:
            deviation = self.deviation
            pool = Pool(f"the paper's {self}", NUM_SEEDS_OF_THE_PAPER - 1)
        return {pool: deviation**2 / NUM_SEEDS_OF_THE_PAPER}

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return error_of(self.variance)


@cache
def _numbers() -> dict[str, Any]:
    text = files(__package__).joinpath("paper.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def paper_figure(path: str, metric: str, place: int | None = None) -> PaperFigure | None:
    """Return a figure of the paper, or None if it prints none or it is illegible.

    Parameters
    ----------
    path : str
        Keys into ``paper.toml``, joined by "/", such as ``"table1/Beauty/SASRec"``.
    metric : str
        Such as ``"HR@5"``, or ``"s/epoch"``.
    place : int, optional
        Index into a list of figures, one per point of the sweep.
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
