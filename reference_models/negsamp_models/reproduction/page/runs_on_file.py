"""Runs that are finished, missing, or were repeated, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.planned import PlannedRun
from negsamp_models.wording import plural

__all__ = ["missing_line", "replaced_lines", "runs_line"]


def runs_line(grids: Sequence[Grid], results: Mapping[str, RunResult]) -> str:
    """Describe how many runs are finished and left, and by how many versions of the code."""
    cells = [cell for grid in grids for cell in grid.cells]
    left = {run.key for cell in cells for run in cell.left(results)}
    asked = {run.key for cell in cells for run in cell.runs}
    made = (asked & results.keys()) - left
    digests = Counter(results[key].environment.get("source", "") for key in made)
    unnamed = digests.pop("", 0)
    text = f"- Runs: {len(made)} finished and {len(left)} missing"
    if len(digests) + bool(unnamed) > 1:
        older = f"; {plural(unnamed, 'older file')} without it" if unnamed else ""
        versions = plural(len(digests), "version")
        text += f". {versions} of the code made them (`source` in the files{older})"
    return f"{text}."


def missing_line(grids: Sequence[Grid], results: Mapping[str, RunResult]) -> Iterator[str]:
    """Yield a line that names the missing runs; those of a choice not yet made are of its first."""
    cells = [cell for grid in grids for cell in grid.cells]
    left = {run.key: run for cell in cells for run in cell.left(results)}
    if left:
        names = (f"{run.dataset} {run.slug}, seed {run.settings.seed}" for run in left.values())
        yield f"- Missing: {'; '.join(names)}."


def replaced_lines(
    results: Mapping[str, RunResult], replaced: Sequence[RunResult]
) -> Iterator[str]:
    """Yield a line for each repeated run, with the metrics of all its results."""
    times: dict[str, list[RunResult]] = {}
    for before in replaced:
        times.setdefault(PlannedRun.of(before).key, []).append(before)
    for key, made in times.items():
        if (last := results.get(key)) is not None:
            run = PlannedRun.of(last)
            figures = "; ".join(
                f"{name} {', then '.join(f'{each.test[name]:.2f}' for each in [*made, last])}"
                for name in ("HR@5", "NDCG@5")
            )
            yield (
                f"- Repeated with later code: {run.dataset} {run.slug}, seed {run.settings.seed}: "
                f"{figures}. The tables show the last one."
            )
