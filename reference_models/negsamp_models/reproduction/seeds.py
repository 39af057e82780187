"""All seeds of a configuration that have results, whichever table they were run for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Choice, Grid
from negsamp_models.reproduction.planned import PlannedRun

__all__ = ["configuration", "results_asked_for", "with_all_seeds"]


def configuration(run: PlannedRun) -> str:
    """Return a key that runs share if they differ only in the seed."""
    return replace(run, settings=replace(run.settings, seed=0)).key


def results_asked_for(
    grids: Iterable[Grid], results: Mapping[str, RunResult]
) -> dict[str, RunResult]:
    """Return the results whose configuration, with any seed, belongs to a grid.

    An S3-Rec run from a pre-training that belongs to no grid is excluded.
    """
    asked = {configuration(run) for grid in grids for cell in grid.cells for run in cell.runs}
    return {
        key: result
        for key, result in results.items()
        if (run := PlannedRun.of(result)).key == key and configuration(run) in asked
    }


def with_all_seeds(grids: Iterable[Grid], results: Mapping[str, RunResult]) -> list[Grid]:
    """Return grids extended by all other seeds that have results, after the declared ones.

    The number of seeds that a grid declares determines what is run. Means are shown over all seeds
    with results, so that a configuration has the same figure in every table.
    """
    on_file: dict[str, list[PlannedRun]] = defaultdict(list)
    for run in map(PlannedRun.of, results.values()):
        if run.key in results:
            on_file[configuration(run)].append(run)

    def widened(choice: Choice) -> Choice:
        declared = {run.key for run in choice.runs}
        others = [run for run in on_file[configuration(choice.runs[0])] if run.key not in declared]
        others.sort(key=lambda run: run.settings.seed)
        return replace(choice, runs=(*choice.runs, *others))

    return [
        replace(
            grid,
            cells=tuple(
                replace(cell, choices=tuple(map(widened, cell.choices))) for cell in grid.cells
            ),
        )
        for grid in grids
    ]
