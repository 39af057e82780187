"""How and on which device epochs were timed, and their cost relative to the first row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.metrics import SECONDS
from negsamp_models.reproduction.page.figures import Figure, figures_of
from negsamp_models.reproduction.page.seconds import (
    DISTURBED,
    are_timed_alike,
    disturbance,
    timed_run,
)
from negsamp_models.wording import plural

__all__ = ["timing_lines"]

_HOW = (
    "s/epoch is the wall-clock time of all batches of an epoch: encoding, sampling, loss and "
    "optimiser step, without validation. It is the 10th percentile over the epochs of the first "
    "seed, since other work on the machine can only make epochs slower."
)


def timing_lines(grid: Grid, results: Mapping[str, RunResult]) -> Iterator[str]:
    """Yield how and where epochs were timed, which were disturbed, and ratios to the first row."""
    devices: dict[str, list[str]] = {}
    disturbed = []
    for cell in grid.cells:
        if (run := timed_run(cell, results)) is None:
            continue
        about = run.environment
        device = f"{about['device']}, {plural(about['threads'], 'thread')}, torch {about['torch']}"
        device += f", code {about['source']}" if "source" in about else ", older code"
        devices.setdefault(device, []).append(f"{cell.dataset} {cell.row}")
        if (times := disturbance(run)) > DISTURBED:
            disturbed.append(f"{cell.dataset} {cell.row} ({times:.2f})")
    if not devices:
        return
    yield _HOW
    if len(devices) == 1:
        yield f"All on {next(iter(devices))}.\n"
    else:
        yield ""
        yield from (f"- On {device}: {'; '.join(rows)}." for device, rows in devices.items())
        yield ""
    if disturbed:
        yield (
            f"Disturbed by other work (ratio of the 90th to the 10th percentile above "
            f"{DISTURBED:g}), so that even the 10th may be too long: {', '.join(disturbed)}.\n"
        )
    yield from _beside_the_paper(grid, results)


def _beside_the_paper(grid: Grid, results: Mapping[str, RunResult]) -> Iterator[str]:
    """Yield the time of each row relative to the first, here and in the paper."""
    lines, others = [], []
    for dataset in grid.datasets:
        first, *cells = grid.cells_on(dataset)
        base = figures_of(grid, first, results)[SECONDS]
        parts = []
        for cell in cells:
            if not (ratio := _ratio(figures_of(grid, cell, results)[SECONDS], base)):
                continue
            if are_timed_alike([first, cell], results):
                parts.append(f"{cell.row} {ratio}")
            else:
                others.append(f"{dataset} {cell.row}")
        if parts:
            lines.append(f"- {dataset}, relative to {first.row}: {', '.join(parts)}.")
    if lines:
        yield "The paper's times are means over 100 epochs on one V100; only ratios compare:\n"
        yield from lines
        yield ""
    if others:
        yield (
            f"{', '.join(others)}: timed with other code or on another device than the first row, "
            "so no ratio is shown.\n"
        )


def _ratio(figure: Figure, base: Figure) -> str:
    """Return the ratio of a figure to a base, and the paper's ratio; "" if one is missing."""
    ours, theirs = (figure.mean, base.mean), (figure.theirs, base.theirs)
    if ours[0] is None or ours[1] is None or theirs[0] is None or theirs[1] is None:
        return ""
    return f"{ours[0] / ours[1]:.2f} (paper {theirs[0].mean / theirs[1].mean:.2f})"
