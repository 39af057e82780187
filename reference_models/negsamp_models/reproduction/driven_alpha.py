"""How far alpha went in the runs whose losses drove it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Cell, Grid

__all__ = ["driven_alpha"]


def driven_alpha(
    grid: Grid, cells: Sequence[Cell], results: Mapping[str, RunResult]
) -> Iterator[str]:
    """Yield a line that says between which values alpha was; none where no loss drove it."""
    parts = []
    for cell in cells:
        run = cell.choices[0].runs[0]
        alpha = run.sampler.get("alpha")
        if not isinstance(alpha, Mapping) or alpha["schedule"] != "loss_driven":
            continue
        epochs = [] if run.key not in results else results[run.key].epochs
        if not (values := [epoch.alpha for epoch in epochs if epoch.alpha is not None]):
            continue
        point = "" if grid.sweep is None else f" from {grid.sweep[1][cell.point or 0]:g}"
        parts.append(f"{cell.row}{point}: {min(values):.2f} to {max(values):.2f}")
    if parts:
        yield f"The range of alpha at the ends of epochs, seed 0: {'; '.join(parts)}.\n"
