"""Figures of the cells of a grid: our means over seeds, and the paper's values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from negsamp_models.law.study import LawStudy
from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Cell, Grid
from negsamp_models.reproduction.metrics import EPOCHS, PASSES, SECONDS, VALIDATION, value_of
from negsamp_models.reproduction.page.means import Variance, Verdict, apart, combined, error_of
from negsamp_models.reproduction.page.noise import RANKED, SeedNoise, kind_of
from negsamp_models.reproduction.page.paper import PaperFigure, paper_figure

__all__ = [
    "Figure",
    "figures_of",
    "is_leaking",
    "laws_of",
    "pooled",
]

MIN_RANGE_FREEDOM = 3
"""Least degrees of freedom for a mark: with fewer, a range includes nearly everything."""


@dataclass(frozen=True)
class Figure:
    """One metric of a cell: ours, if there are runs, and the paper's, if it prints one.

    Attributes
    ----------
    mean, deviation : float or None
        Over the seeds that were run, in percent or seconds; the mean is None without runs.
    num_seeds : int
    theirs : PaperFigure or None
    variance : mapping
        The squared standard error of our mean, from the noise estimated over all configurations.
    """

    mean: float | None
    deviation: float
    num_seeds: int
    theirs: PaperFigure | None
    variance: Variance

    @property
    def error(self) -> float:
        """The standard error of our mean."""
        return error_of(self.variance)

    @property
    def verdict(self) -> Verdict | None:
        """Our mean relative to the paper's range; None if there is no range or no mean."""
        if self.mean is None or self.theirs is None:
            return None
        if any(pool.freedom < MIN_RANGE_FREEDOM for pool in self.variance):
            return None
        return apart(self.mean, self.theirs.mean, self.variance, self.theirs.variance)


def figures_of(
    grid: Grid,
    cell: Cell,
    results: Mapping[str, RunResult],
    noise: SeedNoise | None = None,
    masked: bool = True,
) -> dict[str, Figure]:
    """Return the figures of the chosen configuration of a cell, by metric.

    Metrics are test metrics, "validation METRIC", "best epoch", "passes" or "s/epoch". The last is
    of the first seed alone, as others may have been timed beside other work; tables do not judge
    it, as the paper's is of another machine. Without `masked`, test items are ranked among all
    items, seen ones included; validation always masks seen items, and is omitted. Without `noise`,
    the minimum deviation is assumed.
    """
    noise = SeedNoise() if noise is None else noise
    runs, figures = cell.made(results), {}
    kind = kind_of((cell.chosen(results) or cell.choices[0]).runs[0].sampler)
    for metric in grid.metrics:
        if metric.startswith(VALIDATION) and not masked:
            continue
        values = [value_of(r, metric, masked) for r in (runs[:1] if metric == SECONDS else runs)]
        path = f"{grid.paper}/{cell.dataset}/{cell.row}"
        mean = fmean(values) if values else None
        is_test = metric not in (SECONDS, EPOCHS, PASSES)
        name = metric if masked or not is_test else f"{RANKED}{metric}"
        figures[metric] = Figure(
            mean=mean,
            deviation=stdev(values) if len(values) > 1 else 0.0,
            num_seeds=len(values),
            theirs=paper_figure(path, metric, cell.point),
            variance={} if mean is None else noise.variance(kind, name, mean, len(values)),
        )
    return figures


def pooled(figures: Sequence[Figure]) -> Figure:
    """Return the mean over several points of a sweep; it is None if a point has no runs."""
    if len(figures) == 1:
        return figures[0]
    means = [figure.mean for figure in figures if figure.mean is not None]
    return Figure(
        mean=fmean(means) if len(means) == len(figures) else None,
        deviation=0.0,
        num_seeds=sum(figure.num_seeds for figure in figures),
        theirs=None,
        variance=combined((1 / len(figures), figure.variance) for figure in figures),
    )


def laws_of(cell: Cell, results: Mapping[str, RunResult]) -> dict[int, LawStudy]:
    """Return the laws that the runs of a cell kept, by seed; none if the grid requests none."""
    runs = cell.choices[0].runs
    made = [results[run.key] for run in runs if runs[0].law is not None and run.key in results]
    return {r.settings["seed"]: LawStudy.from_json(r.law) for r in made if r.law is not None}


def is_leaking(cell: Cell) -> bool:
    """Whether the negatives of a cell's runs leak held-out items."""
    return any(run.settings.leak_held_out for run in cell.runs)
