"""Rows that are compared with each other, and what that says of the paper's claims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from negsamp_models.records import RunResult
from negsamp_models.reproduction.figures import Figure, figures_of
from negsamp_models.reproduction.grids import Contrast, Grid
from negsamp_models.reproduction.noise import SeedNoise
from negsamp_models.reproduction.paper import Verdict, apart

__all__ = ["Claim", "Compared", "Outcome", "claims", "compared"]

MARGIN = 0.05
"""A row that is said to do as well as another may be worse by this part of it."""

Outcome = Literal["holds", "does not hold", "not told apart", "missing"]


@dataclass(frozen=True)
class Compared:
    """A contrast on a data set, at a point of the sweep.

    Attributes
    ----------
    contrast : Contrast
    dataset, point : str
        The point in words, or nothing.
    metric : str
        By which the verdict is given: the grid's first.
    one, other : dict of str to Figure
        By metric, of the two rows.
    """

    contrast: Contrast
    dataset: str
    point: str
    metric: str
    one: dict[str, Figure]
    other: dict[str, Figure]

    @property
    def verdict(self) -> Verdict | None:
        """Where the first is to the other, by two standard errors; None if one is missing."""
        one, other = self.one[self.metric], self.other[self.metric]
        if one.mean is None or other.mean is None:
            return None
        return apart(one.mean, other.mean, one.error, other.error)

    @property
    def outcome(self) -> Outcome:
        """What the runs say of the claim.

        That a row is not below another holds if two standard errors leave it no place more than 5 %
        below; that it is not above, likewise.
        """
        one, other = self.one[self.metric], self.other[self.metric]
        if one.mean is None or other.mean is None:
            return "missing"
        expected, refuted, margin = {
            "above": ("above", "below", 0.0),
            "not below": ("above", "below", -MARGIN),
            "not above": ("below", "above", MARGIN),
        }[self.contrast.expected]
        if self.verdict == refuted:
            return "does not hold"
        bound = other.mean + margin * abs(other.mean)
        held = apart(one.mean, bound, one.error, other.error) == expected
        return "holds" if held else "not told apart"


@dataclass(frozen=True)
class Claim:
    """What the paper says of two rows on a data set: at one point of the sweep, or at all.

    Attributes
    ----------
    contrast : Contrast
    dataset : str
    parts : tuple of Compared
        One a point.
    """

    contrast: Contrast
    dataset: str
    parts: tuple[Compared, ...]

    @property
    def outcome(self) -> Outcome:
        """What the runs say of it: that it holds, if it does at all points."""
        outcomes: tuple[Outcome, ...] = ("does not hold", "missing", "not told apart")
        found = {part.outcome for part in self.parts}
        return next((each for each in outcomes if each in found), "holds")


def claims(
    grid: Grid, results: Mapping[str, RunResult], noise: SeedNoise | None = None
) -> list[Claim]:
    """Return the contrasts of a grid of which the paper says something, one a data set."""
    parts: dict[tuple[str, Contrast], list[Compared]] = {}
    for each in compared(grid, results, noise):
        if each.contrast.claim:
            parts.setdefault((each.dataset, each.contrast), []).append(each)
    return [Claim(contrast, name, tuple(each)) for (name, contrast), each in parts.items()]


def compared(
    grid: Grid, results: Mapping[str, RunResult], noise: SeedNoise | None = None
) -> Iterator[Compared]:
    """Yield the contrasts of a grid, on each data set and at each point that they name."""
    cells = {(cell.dataset, cell.row, cell.point): cell for cell in grid.cells}
    for dataset in grid.datasets:
        for contrast in grid.contrasts:
            for at, other_at in _points(grid, contrast):
                one, other = (
                    figures_of(grid, cells[dataset, row, point], results, noise)[1]
                    for row, point in ((contrast.row, at), (contrast.other, other_at))
                )
                words = _words(grid, at, other_at)
                yield Compared(contrast, dataset, words, grid.metrics[0], one, other)


def _points(grid: Grid, contrast: Contrast) -> list[tuple[int | None, int | None]]:
    """Return the pairs of points that a contrast names, or all points, each with itself."""
    if grid.sweep is None:
        return [(None, None)]
    if contrast.at is None:
        return [(place, place) for place in range(len(grid.sweep[1]))]
    return [(contrast.at, contrast.other_at)]


def _words(grid: Grid, at: int | None, other_at: int | None) -> str:
    if grid.sweep is None or at is None or other_at is None:
        return ""
    key, values = grid.swept, grid.sweep[1]
    if at == other_at:
        return f"{key} {values[at]:g}"
    return f"{key} {values[at]:g} against {values[other_at]:g}"
