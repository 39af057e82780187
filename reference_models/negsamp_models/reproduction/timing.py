"""How and on which device epochs were timed, and their cost relative to the first row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from negsamp_models.records import RunResult
from negsamp_models.reproduction.figures import SECONDS, Figure, figures_of
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.seconds import (
    DISTURBED,
    are_timed_alike,
    disturbance,
    timed_run,
)
from negsamp_models.wording import plural

__all__ = ["timing_lines"]

_HOW = (
    "s/epoch is the wall-clock time of all batches of an epoch: encoding, sampling, loss and step, "
    "without validation. Other work on the machine makes epochs slower and never quicker, so that "
    "it is the 10th percentile over the epochs of the first seed."
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
            f"Disturbed, the 90th percentile more than {DISTURBED:g} times the 10th, so that even "
            f"that may be too long: {', '.join(disturbed)}.\n"
        )
    yield from _beside_the_paper(grid, results)


def _beside_the_paper(grid: Grid, results: Mapping[str, RunResult]) -> Iterator[str]:
    """Yield the time of each row relative to the first, here and in the paper."""
    lines, others = [], []
    for dataset in grid.datasets:
        first, *cells = (cell for cell in grid.cells if cell.dataset == dataset)
        base = figures_of(grid, first, results)[1][SECONDS]
        parts = []
        for cell in cells:
            if not (ratio := _ratio(figures_of(grid, cell, results)[1][SECONDS], base)):
                continue
            if are_timed_alike([first, cell], results):
                parts.append(f"{cell.row} {ratio}")
            else:
                others.append(f"{dataset} {cell.row}")
        if parts:
            lines.append(f"- {dataset}, times that of {first.row}: {', '.join(parts)}.")
    if lines:
        yield "The paper's are means over 100 epochs on one V100; what compares is the ratio:\n"
        yield from lines
        yield ""
    if others:
        yield (
            f"{', '.join(others)}: not timed by the code and on the device of the first row, so "
            "that a ratio would say nothing, and is not shown.\n"
        )


def _ratio(figure: Figure, base: Figure) -> str:
    """Return the ratio of a figure to a base, and the paper's ratio; "" if one is missing."""
    ours, theirs = (figure.mean, base.mean), (figure.theirs, base.theirs)
    if ours[0] is None or ours[1] is None or theirs[0] is None or theirs[1] is None:
        return ""
    return f"{ours[0] / ours[1]:.2f} (paper {theirs[0].mean / theirs[1].mean:.2f})"
