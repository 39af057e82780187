"""Figures of a grid's cells: means over seeds of what was run, and the paper's beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from negsamp_models.law import LawStudy
from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Cell, Choice, Contrast, Grid
from negsamp_models.reproduction.paper import PaperFigure, compare_with, paper_figure

__all__ = ["Compared", "Figure", "compared", "figures_of", "is_leaking", "law_of", "value_of"]

SECONDS = "s/epoch"
VALIDATION = "validation "


@dataclass(frozen=True)
class Figure:
    """One metric of a cell: ours, if there are runs, and the paper's, if it prints one.

    Attributes
    ----------
    mean, deviation : float or None
        Over the seeds that were run; percent, or seconds. None without runs.
    num_seeds : int
    theirs : PaperFigure or None
    """

    mean: float | None
    deviation: float
    num_seeds: int
    theirs: PaperFigure | None

    @property
    def verdict(self) -> Literal["inside", "above", "below"] | None:
        """Where ours is to the paper's range; None where one of the two is missing."""
        if self.mean is None or self.theirs is None:
            return None
        return compare_with(self.theirs, self.mean, self.deviation)


def figures_of(
    grid: Grid, cell: Cell, results: Mapping[str, RunResult], masked: bool = True
) -> tuple[Choice | None, dict[str, Figure]]:
    """Return what was chosen for a cell, and its figures by metric.

    Metrics are those of the test items, "validation METRIC", or "s/epoch". Times are not compared
    with the paper's, which are another machine's.
    """
    choice = cell.chosen(results)
    runs = [] if choice is None else [results[r.key] for r in choice.runs if r.key in results]
    figures = {}
    for metric in grid.metrics:
        values = [value_of(run, metric, masked) for run in runs]
        path = f"{grid.paper}/{cell.dataset}/{cell.row}"
        figures[metric] = Figure(
            mean=fmean(values) if values else None,
            deviation=stdev(values) if len(values) > 1 else 0.0,
            num_seeds=len(values),
            theirs=paper_figure(path, metric, cell.point),
        )
    return choice, figures


def value_of(run: RunResult, metric: str, masked: bool = True) -> float:
    """Return a metric of a run; without `masked`, test metrics with the seen items ranked."""
    if metric == SECONDS:
        return run.seconds_per_epoch
    if metric.startswith(VALIDATION):
        return run.validation[metric.removeprefix(VALIDATION)]
    return (run.test if masked else run.test_unmasked)[metric]


def law_of(cell: Cell, results: Mapping[str, RunResult]) -> LawStudy | None:
    """Return the law that the first run of a cell kept, if it was to keep one and is made."""
    run = cell.choices[0].runs[0]
    result = results.get(run.key)
    if run.law is None or result is None or result.law is None:
        return None
    return LawStudy.from_json(result.law)


def is_leaking(cell: Cell) -> bool:
    """Whether runs of a cell are told what is held out."""
    return any(run.settings.leak_held_out for choice in cell.choices for run in choice.runs)


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
    def verdict(self) -> Literal["inside", "above", "below"] | None:
        """Where the first is to the other, by two deviations; None if one is missing."""
        one, other = self.one[self.metric], self.other[self.metric]
        if one.mean is None or other.mean is None:
            return None
        spread = other.deviation if other.num_seeds > 1 else None
        return compare_with(PaperFigure(other.mean, spread), one.mean, one.deviation)

    @property
    def outcome(self) -> Literal["holds", "does not hold", "not told apart", "missing"]:
        """What the runs say of the claim."""
        if self.verdict is None:
            return "missing"
        expected = self.contrast.expected
        if expected.startswith("not "):
            return "does not hold" if self.verdict in expected else "holds"
        if self.verdict == "inside":
            return "not told apart"
        return "holds" if self.verdict == expected else "does not hold"


def compared(grid: Grid, results: Mapping[str, RunResult]) -> Iterator[Compared]:
    """Yield the contrasts of a grid, on each data set and at each point that they name."""
    cells = {(cell.dataset, cell.row, cell.point): cell for cell in grid.cells}
    for dataset in grid.datasets:
        for contrast in grid.contrasts:
            for at, other_at in _points(grid, contrast):
                one, other = (
                    figures_of(grid, cells[dataset, row, point], results)[1]
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
