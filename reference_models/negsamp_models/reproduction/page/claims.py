"""Compare rows of grids with each other, and check the paper's claims by it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import BEST, Contrast, Grid
from negsamp_models.reproduction.page.figures import Figure, figures_of, pooled
from negsamp_models.reproduction.page.means import LEVEL, Variance, Verdict, apart, chance, combined
from negsamp_models.reproduction.page.noise import SeedNoise
from negsamp_models.reproduction.page.sweeps import best_point
from negsamp_models.wording import short

__all__ = ["MARGIN", "Claim", "Compared", "Outcome", "claims", "compared"]

MARGIN = 0.05
"""Equivalence margin, as a fraction: a row "not below" another may be at most this much worse."""

Outcome = Literal["holds", "does not hold", "undecided", "missing"]


@dataclass(frozen=True)
class Compared:
    """A contrast on one data set, at one point of the sweep.

    Attributes
    ----------
    contrast : Contrast
    dataset, point : str
        The point in words; empty without a sweep.
    metric : str
        Metric that is compared: the contrast's, or the grid's first.
    one, other : dict of str to Figure
        Figures of the two rows, by metric.
    """

    contrast: Contrast
    dataset: str
    point: str
    metric: str
    one: dict[str, Figure]
    other: dict[str, Figure]

    @property
    def verdict(self) -> Verdict | None:
        """The first row relative to the other, given the noise; None if one is missing."""
        means = self._means(0.0)
        return None if means is None else apart(*means)

    @property
    def chance(self) -> float:
        """The p-value of the test that decides the outcome; 1 if a row is missing."""
        means = self._means(self._margin)
        return 1.0 if means is None else chance(*means)

    @property
    def outcome(self) -> Outcome:
        """Whether the runs confirm the claim.

        "Not below" holds if the row is above the other minus 5 %, beyond the noise, and does not
        hold if it is below that; "not above" likewise with plus 5 %.
        """
        means = self._means(self._margin)
        if means is None:
            return "missing"
        verdict = apart(*means)
        if verdict == "inside":
            return "undecided"
        expected = "above" if self.contrast.expected in ("above", "not below") else "below"
        return "holds" if verdict == expected else "does not hold"

    @property
    def _margin(self) -> float:
        return {"not below": -MARGIN, "not above": MARGIN}.get(self.contrast.expected, 0.0)

    def _means(self, margin: float) -> tuple[float, float, Variance, Variance] | None:
        """Return both means with their variances, the other changed by `margin`, a fraction.

        Deviations are relative to the mean, so that the logarithms are compared where there are
        any: a small mean is not known better than a large one.
        """
        one, other = self.one[self.metric], self.other[self.metric]
        if one.mean is None or other.mean is None:
            return None
        bound, of_bound = (1 + margin) * other.mean, combined([(1 + margin, other.variance)])
        if min(one.mean, bound) <= 0:
            return one.mean, bound, one.variance, of_bound
        relative, of_other = (
            combined([(1 / one.mean, one.variance)]),
            combined([(1 / bound, of_bound)]),
        )
        return math.log(one.mean), math.log(bound), relative, of_other


@dataclass(frozen=True)
class Claim:
    """A claim of the paper on two rows and a data set, at one point of the sweep or at all points.

    Attributes
    ----------
    contrast : Contrast
    dataset : str
    parts : tuple of Compared
        One per point.
    """

    contrast: Contrast
    dataset: str
    parts: tuple[Compared, ...]

    @property
    def outcome(self) -> Outcome:
        """Whether the runs confirm the claim.

        It holds if it does at all points, and does not hold if it does not at one of them, at a
        level divided by their number: of many points one may be worse by chance.
        """
        found = {part.outcome for part in self.parts}
        if "does not hold" in found and self.chance < LEVEL:
            return "does not hold"
        if "missing" in found:
            return "missing"
        return "holds" if found == {"holds"} else "undecided"

    @property
    def chance(self) -> float:
        """The p-value of the claim: the largest of its points, or the smallest that refutes it."""
        refuting = [part.chance for part in self.parts if part.outcome == "does not hold"]
        if refuting:
            return min(1.0, len(self.parts) * min(refuting))
        return max(part.chance for part in self.parts)


def claims(
    grid: Grid, results: Mapping[str, RunResult], noise: SeedNoise | None = None
) -> list[Claim]:
    """Return the contrasts of a grid about which the paper has a claim, one per data set."""
    parts: dict[tuple[str, Contrast], list[Compared]] = {}
    for each in compared(grid, results, noise):
        if each.contrast.claim:
            parts.setdefault((each.dataset, each.contrast), []).append(each)
    return [Claim(contrast, name, tuple(each)) for (name, contrast), each in parts.items()]


def compared(
    grid: Grid, results: Mapping[str, RunResult], noise: SeedNoise | None = None
) -> Iterator[Compared]:
    """Yield the contrasts of a grid, for each data set and each point that they name."""
    cells = {(cell.dataset, cell.row, cell.point): cell for cell in grid.cells}
    for dataset in grid.datasets:
        for contrast in grid.contrasts:
            if contrast.datasets and dataset not in contrast.datasets:
                continue
            for at, other_at in _points(grid, contrast, dataset, results):
                one, other = (
                    _at_points(
                        [
                            figures_of(grid, cells[dataset, row, point], results, noise)
                            for point in points
                        ]
                    )
                    for row, points in ((contrast.row, at), (contrast.other, other_at))
                )
                words = _words(grid, contrast, at, other_at)
                metric = contrast.metric or grid.metrics[0]
                yield Compared(contrast, dataset, words, metric, one, other)


Points = tuple[int | None, ...]


def _at_points(figures: list[dict[str, Figure]]) -> dict[str, Figure]:
    return {metric: pooled([each[metric] for each in figures]) for metric in figures[0]}


def _points(
    grid: Grid, contrast: Contrast, dataset: str, results: Mapping[str, RunResult]
) -> list[tuple[Points, Points]]:
    """Return the points to compare: those that the contrast names, or each point by itself."""
    if grid.sweep is None:
        return [((None,), (None,))]
    if contrast.at is None:
        return [((place,), (place,)) for place in range(len(grid.sweep[1]))]
    if contrast.at == BEST:
        best = best_point(grid.cells_on(dataset, contrast.row), results)
        return [((0 if best is None else best.point,), _as_points(contrast.other_at))]
    return [(_as_points(contrast.at), _as_points(contrast.other_at))]


def _as_points(at: int | tuple[int, ...] | str | None) -> Points:
    if isinstance(at, str):
        raise TypeError(f"points of a sweep are numbers; got {at!r}")
    return at if isinstance(at, tuple) else (at,)


def _words(grid: Grid, contrast: Contrast, at: Points, other_at: Points) -> str:
    if grid.sweep is None:
        return ""
    one, other = (_values(grid.sweep[1], points) for points in (at, other_at))
    if contrast.at == BEST:
        if one == other:
            return f"validation is best at {grid.swept} {one}, the end of the sweep"
        one += " (best on validation)"
    elif one == other:
        return f"{grid.swept} {one}"
    return f"{grid.swept} {one} against {other}"


def _values(values: list[Any], points: Points) -> str:
    named = [short(values[point]) for point in points if point is not None]
    return named[0] if len(named) == 1 else f"{', '.join(named)} on average"
