"""The page that shows our figures beside the paper's, made of result files alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Cell, Choice, Grid
from negsamp_models.reproduction.paper import PaperFigure, compare_with, paper_figure
from negsamp_models.results import write_whole

__all__ = ["Figure", "figures_of", "page", "write_page"]

_MARKS = {"inside": "", "above": " ▲", "below": " ▼"}
_PAPERS = {"table1", "table2", "table3", "table5"}


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
    def verdict(self) -> str | None:
        """Where ours is to the paper's range; None where one of the two is missing."""
        if self.mean is None or self.theirs is None:
            return None
        return compare_with(self.theirs, self.mean, self.deviation)


def figures_of(
    grid: Grid, cell: Cell, results: Mapping[str, RunResult], masked: bool = True
) -> tuple[Choice | None, dict[str, Figure]]:
    """Return what was chosen for a cell, and its figures by metric."""
    choice = cell.chosen(results)
    runs = [] if choice is None else [results[r.key] for r in choice.runs if r.key in results]
    figures = {}
    for metric in grid.metrics:
        values = [_value(run, metric, masked) for run in runs]
        theirs = None
        if grid.name in _PAPERS:
            path = f"{grid.name}/{cell.dataset}/{cell.row}"
            theirs = paper_figure(path, metric, cell.point)
        figures[metric] = Figure(
            mean=fmean(values) if values else None,
            deviation=stdev(values) if len(values) > 1 else 0.0,
            num_seeds=len(values),
            theirs=theirs,
        )
    return choice, figures


def page(
    grids: Sequence[Grid], results: Mapping[str, RunResult], pictures: Mapping[str, str]
) -> str:
    """Return the page in Markdown; `pictures` are file names by grid."""
    sections = [line for grid in grids for line in _section(grid, results, pictures.get(grid.name))]
    return "\n".join([_INTRODUCTION, *_summary(grids, results), *sections]).rstrip() + "\n"


def write_page(
    grids: Sequence[Grid],
    results: Mapping[str, RunResult],
    pictures: Mapping[str, str],
    path: Path,
) -> None:
    """Write the page whole or not at all."""
    text = page(grids, results, pictures)
    write_whole(path, lambda target: target.write_text(text, encoding="utf-8"))


_INTRODUCTION = """\
# The paper, reproduced

Each figure below is made of the result files under `results/` alone, by `negsamp report`; a run of
each is one file, with its configuration, every epoch and what it ran on. `negsamp reproduce table1
--dataset Beauty` makes those that are missing. Test figures are percent, ranked over the whole
catalogue with the items of the input masked, of the epoch that is best on validation; nothing is
chosen on test.

▲ and ▼ mark means above and below the paper's range: further from its mean than two deviations over
seeds of the difference, where a deviation that the paper does not print counts as 3 % of the mean.
`-` is a run that has not been made.
"""


def _summary(grids: Sequence[Grid], results: Mapping[str, RunResult]) -> Iterator[str]:
    """Say first what does not come out."""
    counts = {"inside": 0, "above": 0, "below": 0}
    lines = []
    for grid in grids:
        for cell in grid.cells:
            for metric, figure in figures_of(grid, cell, results)[1].items():
                if figure.verdict is None or metric == "s/epoch":
                    continue
                counts[figure.verdict] += 1
                if figure.verdict != "inside" and figure.mean is not None and figure.theirs:
                    lines.append(
                        f"- {figure.verdict}: {grid.title.partition(':')[0]}, {cell.dataset}, "
                        f"{cell.row}{_point(grid, cell)}, {metric}: {figure.mean:.2f} "
                        f"({figure.num_seeds} seeds), paper {figure.theirs.mean:.2f}"
                    )
    yield "## What does not come out\n"
    yield (
        f"Of {sum(counts.values())} figures that both have, {counts['inside']} are inside the "
        f"paper's range, {counts['above']} above and {counts['below']} below.\n"
    )
    yield from sorted(lines, key=lambda line: not line.startswith("- below"))
    if lines:
        yield ""


def _section(grid: Grid, results: Mapping[str, RunResult], picture: str | None) -> Iterator[str]:
    yield f"## {grid.title}\n"
    if picture is not None:
        yield f"![{grid.title}]({picture})\n"
    for dataset in grid.datasets:
        cells = [cell for cell in grid.cells if cell.dataset == dataset]
        if not any(figures_of(grid, cell, results)[1][grid.metrics[0]].num_seeds for cell in cells):
            yield f"{dataset}: not run yet.\n"
            continue
        yield from _table(grid, dataset, cells, results, masked=True)
        if dataset == "Yelp":  # users come back to places: the ranking with seen items left in
            yield from _table(grid, dataset, cells, results, masked=False)


def _table(
    grid: Grid, dataset: str, cells: list[Cell], results: Mapping[str, RunResult], masked: bool
) -> Iterator[str]:
    name = dataset if masked else f"{dataset}, seen items ranked"
    key = [] if grid.sweep is None else [_words(grid.sweep[0])]
    columns = [name, *key, *grid.metrics, "seeds"]
    yield f"| {' | '.join(columns)} |"
    yield f"| --- |{' --- |' * len(key)}{' ---: |' * (len(grid.metrics) + 1)}"
    for cell in cells:
        choice, figures = figures_of(grid, cell, results, masked)
        label = f" ({choice.label})" if choice is not None and choice.label else ""
        point = [] if grid.sweep is None or cell.point is None else [f"{grid.sweep[1][cell.point]}"]
        parts = [f"{cell.row}{label}", *point, *map(_cell_text, figures.values())]
        yield f"| {' | '.join(parts)} | {next(iter(figures.values())).num_seeds} |"
    yield ""


def _cell_text(figure: Figure) -> str:
    paper = "" if figure.theirs is None else f" ({figure.theirs.mean:.2f})"
    if figure.mean is None:
        return f"-{paper}"
    deviation = f" ± {figure.deviation:.2f}" if figure.num_seeds > 1 else ""
    return f"{figure.mean:.2f}{deviation}{paper}{_MARKS.get(figure.verdict or '', '')}"


def _value(run: RunResult, metric: str, masked: bool) -> float:
    if metric == "s/epoch":
        return run.seconds_per_epoch
    return (run.test if masked else run.test_unmasked)[metric]


def _point(grid: Grid, cell: Cell) -> str:
    if grid.sweep is None or cell.point is None:
        return ""
    return f" at {_words(grid.sweep[0])} {grid.sweep[1][cell.point]}"


def _words(key: str) -> str:
    return key.replace("num_negatives", "k").replace("_", " ")
