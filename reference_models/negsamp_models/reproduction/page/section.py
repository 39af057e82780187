"""The section of the page on one grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import exp
from statistics import fmean

from negsamp_models.law.picture import moment
from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.page.beyond import beyond_tables
from negsamp_models.reproduction.page.claims import compared
from negsamp_models.reproduction.page.figures import laws_of
from negsamp_models.reproduction.page.grid_tables import grid_tables
from negsamp_models.reproduction.page.noise import SeedNoise
from negsamp_models.reproduction.page.summary import evidence_of

__all__ = ["section"]


def section(
    grid: Grid,
    results: Mapping[str, RunResult],
    noise: SeedNoise,
    picture: str | None,
    level: int = 3,
) -> Iterator[str]:
    """Yield the lines of a grid: a heading of some level, note, picture, tables, contrasts."""
    yield f"{'#' * level} {grid.title}\n"
    if grid.note:
        yield f"{grid.note}\n"
    if grid.decision:
        yield f"**Elsewhere on this page: {grid.decision}.**\n"
    if picture is not None:
        yield f"![{grid.title}]({picture})\n"
    if grid.choose:
        yield from beyond_tables(grid, results, noise)
        return
    yield from grid_tables(grid, results, noise)
    yield from _sharers(grid, results)
    contrasts = [
        each
        for each in compared(grid, results, noise)
        if grid.part == "own" or not each.contrast.claim  # the summary has the paper's claims
    ]
    if known := [each for each in contrasts if each.verdict]:
        several = len(grid.datasets) > 1
        yield from (f"- {f'{c.dataset}: ' if several else ''}{evidence_of(c)}" for c in known)
        yield ""


def _sharers(grid: Grid, results: Mapping[str, RunResult]) -> Iterator[str]:
    """Yield, for each law, the effective number of items drawn at each stage of training."""
    for cell in grid.cells:
        for seed, study in laws_of(cell, results).items():
            stages = "; ".join(
                f"{moment(study, stage)} {fmean(map(exp, stage.entropy)):,.0f}"
                for stage in study.stages
            )
            hardest = zip(study.stages[-1].hardest, study.inputs, strict=True)
            repeats = sum(item == just_had for item, just_had in hardest)
            yield (
                f"User {study.user} of {cell.dataset}, {cell.row}, seed {seed}: effective number "
                f"of items (exponential of the entropy, mean over positions), out of "
                f"{study.num_items:,}: {stages}. With the weights of the best epoch, the most "
                f"likely negative is the user's latest item at {repeats} of {len(study.inputs)} "
                "positions.\n"
            )
