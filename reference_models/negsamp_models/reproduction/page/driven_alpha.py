"""The range of alpha in runs with a loss-driven schedule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from negsamp import LossDriven
from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Cell

__all__ = ["driven_alpha"]


def driven_alpha(cells: Sequence[Cell], results: Mapping[str, RunResult]) -> Iterator[str]:
    """Yield a line with the range of alpha for each such cell; nothing without any."""
    parts = []
    for cell in cells:
        run = cell.choices[0].runs[0]
        alpha = run.sampler.get("alpha")
        if not isinstance(alpha, Mapping) or alpha["schedule"] != "loss_driven":
            continue
        epochs = [] if run.key not in results else results[run.key].epochs
        if not (values := [epoch.alpha for epoch in epochs if epoch.alpha is not None]):
            continue
        initial = alpha.get("initial", LossDriven.initial)
        parts.append(f"{cell.row}, from {initial:g}: {min(values):.2f} to {max(values):.2f}")
    if parts:
        yield f"The range of alpha at the ends of epochs, seed 0: {'; '.join(parts)}.\n"
