"""What the paper leaves open in one table: what is done here, and what the runs say about it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.page.claims import compared
from negsamp_models.reproduction.page.noise import SeedNoise

__all__ = ["decisions"]


def decisions(
    grids: Sequence[Grid], results: Mapping[str, RunResult], noise: SeedNoise
) -> Iterator[str]:
    """Yield the lines of the table, one per grid that has a decision; none without any."""
    if not (open_ones := [grid for grid in grids if grid.decision]):
        return
    yield "| left open | here | on validation |"
    yield "| --- | --- | --- |"
    for grid in open_ones:
        link = f"[{grid.title}](#{_anchor(grid.title)})"
        yield f"| {link} | {grid.decision} | {_evidence(grid, results, noise)} |"
    yield ""


def _anchor(title: str) -> str:
    """Return the anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _evidence(grid: Grid, results: Mapping[str, RunResult], noise: SeedNoise) -> str:
    """Name the rows that differ from those they are compared with."""
    if not grid.contrasts:
        return "see there"
    known = [(each, each.verdict) for each in compared(grid, results, noise)]
    if not any(verdict for _, verdict in known):
        return "not run yet"
    words = {"above": "better", "below": "worse"}
    apart = [
        f"{each.contrast.row}: {words[verdict]} than {each.contrast.other}"
        for each, verdict in known
        if verdict in ("above", "below")
    ]
    return "; ".join(apart) or "no difference beyond seed noise"
