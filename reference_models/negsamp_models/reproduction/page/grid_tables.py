"""Grids as Markdown tables: our figures, and the paper's below each row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from negsamp_models.records import CHOSEN_BY, RunResult
from negsamp_models.reproduction.grids import Cell, Choice, Grid
from negsamp_models.reproduction.metrics import EPOCHS, PASSES, SECONDS
from negsamp_models.reproduction.page.convergence import convergence_lines
from negsamp_models.reproduction.page.driven_alpha import driven_alpha
from negsamp_models.reproduction.page.figures import Figure, figures_of, is_leaking
from negsamp_models.reproduction.page.noise import SeedNoise
from negsamp_models.reproduction.page.paper import NUM_SEEDS_OF_THE_PAPER, PaperFigure
from negsamp_models.reproduction.page.rankings import rankings
from negsamp_models.reproduction.page.sweeps import sweep_lines
from negsamp_models.reproduction.page.timing import timing_lines
from negsamp_models.wording import short

__all__ = ["MARKS", "MISSING", "grid_tables", "number"]

MARKS = {"inside": " ●", "above": " ▲", "below": " ▼"}
MISSING = "-"

Row = tuple[Cell, Choice | None, dict[str, Figure]]


def grid_tables(grid: Grid, results: Mapping[str, RunResult], noise: SeedNoise) -> Iterator[str]:
    """Yield the lines of one table per data set, and name data sets without any run."""
    missing = []
    for dataset in grid.datasets:
        cells = grid.cells_on(dataset)
        if not any(run.key in results for cell in cells for run in cell.runs):
            missing.append(dataset)
            continue
        for name, masked in rankings(dataset, results):
            table = _plain if grid.sweep is None else _wide
            rows = [
                (cell, cell.chosen(results), figures_of(grid, cell, results, noise, masked))
                for cell in cells
            ]
            yield from table(grid, name, rows)
            yield ""
        yield from sweep_lines(grid, dataset, results)
        if grid.curves:
            yield from convergence_lines(grid, dataset, results)
        yield from _choices(cells, results)
        yield from driven_alpha(cells, results)
    if SECONDS in grid.metrics:
        yield from timing_lines(grid, results)
    if missing:
        yield f"Not run yet: {', '.join(missing)}.\n"


def _plain(_: Grid, name: str, rows: Sequence[Row]) -> Iterator[str]:
    """Yield a table with one row per cell and one column per metric."""
    metrics = list(rows[0][2])
    yield _line([name, *metrics, "seeds"])
    yield _line(["---", *["---:"] * (len(metrics) + 1)])
    for cell, choice, figures in rows:
        label = f" ({choice.label})" if choice is not None and choice.label else ""
        seeds = max(figure.num_seeds for figure in figures.values())
        ours = [_ours(metric, figure) for metric, figure in figures.items()]
        yield _line([f"{_name(cell)}{label}", *ours, str(seeds)])
        if any(figure.theirs for figure in figures.values()):
            theirs = [_theirs(figure.theirs) for figure in figures.values()]
            yield _line(["*paper*", *theirs, f"*{NUM_SEEDS_OF_THE_PAPER}*"])


def _wide(grid: Grid, name: str, rows: Sequence[Row]) -> Iterator[str]:
    """Yield a table with one row per row and metric, and one column per point of the sweep."""
    values = [] if grid.sweep is None else grid.sweep[1]
    yield _line([name, f"{grid.swept}:", *map(short, values), "seeds"])
    yield _line(["---", "---", *["---:"] * (len(values) + 1)])
    for row in grid.rows:
        points, figures = zip(*((c, each) for c, _, each in rows if c.row == row), strict=True)
        for metric in figures[0]:
            column = [each[metric] for each in figures]
            seeds = sorted({figure.num_seeds for figure in column} - {0})
            ours = [_ours(metric, figure) for figure in column]
            yield _line([_name(points[0]), metric, *ours, _range(seeds)])
            if any(figure.theirs for figure in column):
                theirs = [_theirs(figure.theirs) for figure in column]
                yield _line(["*paper*", "", *theirs, f"*{NUM_SEEDS_OF_THE_PAPER}*"])


def _choices(cells: Sequence[Cell], results: Mapping[str, RunResult]) -> Iterator[str]:
    """Yield, for cells with several choices, their validation metrics and the one chosen."""
    for cell in cells:
        if len(cell.choices) == 1:
            continue
        seen = []
        for choice in cell.choices:
            result = results.get(choice.runs[0].key)
            figure = MISSING if result is None else f"{result.validation[CHOSEN_BY]:.2f}"
            seen.append(f"{choice.label}: {figure}")
        chosen = cell.chosen(results)
        what = "nothing yet: runs are missing" if chosen is None else chosen.label
        how = f"{CHOSEN_BY}, seed 0: {'; '.join(seen)}"
        yield f"{cell.row}: validation selected {what} ({how}).\n"


def number(metric: str, value: float) -> str:
    """Format a figure: two decimals; epochs and passes with one or none."""
    return f"{value:.1f}".removesuffix(".0") if metric in (EPOCHS, PASSES) else f"{value:.2f}"


def _ours(metric: str, figure: Figure) -> str:
    if figure.mean is None:
        return MISSING
    deviation = f" ± {number(metric, figure.deviation)}" if figure.num_seeds > 1 else ""
    mark = "" if metric == SECONDS else MARKS.get(figure.verdict or "", "")
    return f"{number(metric, figure.mean)}{deviation}{mark}"


def _theirs(figure: PaperFigure | None) -> str:
    if figure is None:
        return ""
    deviation = "" if figure.deviation is None else f" ± {figure.deviation:.2f}"
    return f"*{figure.mean:.2f}{deviation}*"


def _name(cell: Cell) -> str:
    return f"{cell.row} **LEAKS**" if is_leaking(cell) else cell.row


def _range(numbers: Sequence[int]) -> str:
    if not numbers:
        return "0"
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def _line(parts: Sequence[str]) -> str:
    return f"| {' | '.join(parts)} |"
