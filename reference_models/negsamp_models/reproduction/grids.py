"""Grids of runs: tables and figures, their cells, and the contrasts between rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from negsamp_models.records import CHOSEN_BY, RunResult
from negsamp_models.reproduction.planned import PlannedRun

__all__ = ["BEST", "Cell", "Choice", "Contrast", "Gain", "Grid"]

BEST = "best"
"""In a contrast: the point of a sweep at which validation is best."""


@dataclass(frozen=True)
class Choice:
    """One configuration of a cell: the only one, or one that validation chooses from.

    Attributes
    ----------
    label : str
        The value chosen, such as ``gamma = 0.5``; empty if it is the only one.
    runs : tuple of PlannedRun
        One per seed.
    """

    label: str
    runs: tuple[PlannedRun, ...]


@dataclass(frozen=True)
class Cell:
    """A cell of a table: a row on a data set, at a point of the sweep.

    Attributes
    ----------
    dataset, row : str
    point : int or None
        Index into the sweep's values.
    choices : tuple of Choice
    """

    dataset: str
    row: str
    point: int | None
    choices: tuple[Choice, ...]

    @property
    def runs(self) -> list[PlannedRun]:
        """The runs of all choices."""
        return [run for choice in self.choices for run in choice.runs]

    def chosen(self, results: Mapping[str, RunResult]) -> Choice | None:
        """Return the choice that validates best at seed 0; None before all are run."""
        if len(self.choices) == 1:
            return self.choices[0]
        firsts = [results.get(choice.runs[0].key) for choice in self.choices]
        known = [result.validation[CHOSEN_BY] for result in firsts if result is not None]
        if len(known) < len(self.choices):
            return None
        return self.choices[known.index(max(known))]

    def made(self, results: Mapping[str, RunResult]) -> list[RunResult]:
        """Return the results of the chosen configuration, in the order of its runs."""
        choice = self.chosen(results)
        runs = () if choice is None else choice.runs
        return [results[run.key] for run in runs if run.key in results]

    def missing(self, results: Mapping[str, RunResult]) -> list[PlannedRun]:
        """Return the missing runs that can be made now: before the choice, those that decide it."""
        chosen = self.chosen(results)
        if chosen is None:
            wanted = [choice.runs[0] for choice in self.choices]
        else:
            wanted = list(chosen.runs)
        return [run for run in wanted if not run.is_made(results)]

    def left(self, results: Mapping[str, RunResult]) -> list[PlannedRun]:
        """Return all missing runs; before the choice, also the other seeds of its first option."""
        waiting = self.choices[0].runs[1:] if self.chosen(results) is None else ()
        return [*self.missing(results), *(run for run in waiting if not run.is_made(results))]


@dataclass(frozen=True)
class Contrast:
    """Two rows of a grid to be compared, on each data set.

    Attributes
    ----------
    row, other : str
    at, other_at : int, tuple of int, "best" or None
        Indices into the sweep's values: one, several whose mean is compared, or "best" on
        validation; None compares the two rows at each point.
    claim : str
        The paper's claim about the two; empty if it has none.
    expected : {"above", "below", "not above", "not below"}
        `row` relative to `other` if the claim holds.
    metric : str
        Metric to compare; empty for the grid's first.
    datasets : tuple of str
        The data sets on which to compare; empty for all of the grid.
    """

    row: str
    other: str
    at: int | tuple[int, ...] | Literal["best"] | None = None
    other_at: int | tuple[int, ...] | None = None
    claim: str = ""
    expected: Literal["above", "below", "not above", "not below"] = "above"
    metric: str = ""
    datasets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gain:
    """A claim on the relative gain of one row over another, averaged over the data sets.

    Attributes
    ----------
    row, other, metric : str
    printed : float
        The gain stated in the paper's text, in percent of `other`.
    claim : str
    datasets : tuple of str
        The data sets of the claim; empty for all of the grid.
    """

    row: str
    other: str
    metric: str
    printed: float
    claim: str
    datasets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grid:
    """A table or figure.

    Attributes
    ----------
    name, title : str
    part : {"paper", "open", "beyond", "own"}
        Part of the page: the paper's own results, what it leaves open, or what goes beyond it; or
        "own" for a page of its own.
    decision : str
        What runs elsewhere do about what the paper leaves open; empty if nothing is open.
    note : str
        Text above the results on the page.
    datasets, metrics, rows : tuple of str
    sweep : tuple of str and list, or None
        The swept key and its values.
    curves : bool
        Whether to plot validation over training time.
    choose : bool
        Whether validation chooses among the rows; then each data set has one cell.
    paper : str
        Key of the paper's figures for this grid in ``paper.toml``; empty if it has none.
    contrasts : tuple of Contrast
    gains : tuple of Gain
    paper_best : mapping of str to float
        The value of the sweep that the paper states as best, by data set.
    aim : mapping of str to float
        Target values of test metrics, by metric.
    cells : tuple of Cell
    """

    name: str
    title: str
    part: str
    decision: str
    note: str
    datasets: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: tuple[str, ...]
    sweep: tuple[str, list[Any]] | None
    curves: bool
    choose: bool
    paper: str
    contrasts: tuple[Contrast, ...]
    gains: tuple[Gain, ...]
    paper_best: Mapping[str, float]
    aim: Mapping[str, float]
    cells: tuple[Cell, ...]

    @property
    def swept(self) -> str:
        """Name of the swept key in words; empty without a sweep."""
        key = "" if self.sweep is None else self.sweep[0]
        return {"num_negatives": "k", "num_layers": "layers"}.get(key, key).replace("_", " ")

    @property
    def sweeps_starts(self) -> bool:
        """Whether the sweep sets the initial values of schedules, at least in some rows."""
        key = "" if self.sweep is None else self.sweep[0]
        runs = (run for cell in self.cells for run in cell.runs)
        return any(isinstance(run.sampler.get(key), Mapping) for run in runs)

    def cells_on(self, dataset: str, row: str | None = None) -> list[Cell]:
        """Return the cells of a data set, or of one of its rows."""
        return [c for c in self.cells if c.dataset == dataset and row in (None, c.row)]

    def missing(self, results: Mapping[str, RunResult]) -> list[PlannedRun]:
        """Return the missing runs that can be made now, each once."""
        runs = {run.key: run for cell in self.cells for run in cell.missing(results)}
        return list(runs.values())
