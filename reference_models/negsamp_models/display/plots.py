"""Plots of runs: validation, loss, hardness and cost of the negatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from negsamp import InvalidInputError
from negsamp_models.files.pictures import picture_path, save_picture
from negsamp_models.records import CHOSEN_BY, EpochRecord, best_epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_curves", "plot_runs"]

NUM_COLUMNS = 4


@dataclass(frozen=True)
class Panel:
    """One pair of axes: the label, and the function that takes the value from an epoch."""

    label: str
    value: Callable[[EpochRecord], float | None]
    over_time: bool = False


def plot_curves(runs: Mapping[str, Sequence[EpochRecord]], path: str | Path, title: str) -> None:
    """Plot the metric that decides which epoch is best, over epochs and over training time.

    Parameters
    ----------
    runs : mapping of str to sequence of EpochRecord
        Epochs by label, at least one run with at least one epoch each.
    path : str or Path
        PNG, SVG or PDF, by its suffix; written completely or not at all.
    title : str
        Title of the figure.

    Raises
    ------
    InvalidInputError
        If the suffix is not one of these.
    """
    _draw(runs, _validation_panels(runs, CHOSEN_BY), picture_path(path), title)


def plot_runs(
    runs: Mapping[str, Sequence[EpochRecord]], path: str | Path, title: str, metric: str = CHOSEN_BY
) -> None:
    """Plot all quantities of several runs: validation, loss, hardness and cost of negatives.

    Quantities that no run has, or that are constant over all epochs and runs, are omitted.

    Parameters
    ----------
    runs, path, title
        As for :func:`plot_curves`.
    metric : str
        Key of the validation metrics, in percent.

    Raises
    ------
    InvalidInputError
        If the metric is not known, or as raised by :func:`plot_curves`.
    """
    panels = [
        Panel("loss", lambda record: record.loss),
        Panel("alpha", lambda record: record.alpha),
        Panel("beta", lambda record: record.beta),
        Panel("entropy of the negatives, nats", lambda record: record.entropy),
        Panel("sampling, share of the time", lambda record: record.sampling_share),
        Panel("draws a second", lambda record: record.draws_per_second),
    ]
    records = [record for run in runs.values() for record in run]
    varying = [
        panel for panel in panels if len({panel.value(each) for each in records} - {None}) > 1
    ]
    _draw(runs, [*_validation_panels(runs, metric), *varying], picture_path(path), title)


def _validation_panels(
    runs: Mapping[str, Sequence[EpochRecord]], metric: str
) -> tuple[Panel, Panel]:
    for records in runs.values():
        if metric not in (known := records[0].validation):
            raise InvalidInputError(f"metric must be one of {', '.join(known)}; got {metric!r}")
    label = f"validation {metric}, percent"
    return (
        Panel(label, lambda record: record.validation[metric]),
        Panel(label, lambda record: record.validation[metric], over_time=True),
    )


def _draw(
    runs: Mapping[str, Sequence[EpochRecord]], panels: Sequence[Panel], path: Path, title: str
) -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415  (heavy, and for pictures alone)

    num_columns = min(len(panels), NUM_COLUMNS)
    num_rows = -(-len(panels) // num_columns)
    figure = Figure(figsize=(5 * num_columns, 4 * num_rows), layout="constrained")
    axes = figure.subplots(num_rows, num_columns, squeeze=False)
    for place, panel in zip(axes.flat, panels, strict=False):
        _draw_panel(place, panel, runs)
    for place in axes.flat[len(panels) :]:
        place.remove()
    lines, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=num_columns)
    figure.suptitle(title, parse_math=False)
    save_picture(figure, path, dpi=150)


def _draw_panel(axes: Axes, panel: Panel, runs: Mapping[str, Sequence[EpochRecord]]) -> None:
    """Draw one line per run, with a dot at the epoch whose weights are kept."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415  (heavy, and for pictures alone)

    for label, records in runs.items():
        values = [panel.value(record) for record in records]
        points = [float("nan") if value is None else value for value in values]
        places: list[float] = [record.epoch + 1 for record in records]
        if panel.over_time:
            places = list(accumulate(record.training_seconds for record in records))
        line = axes.plot(places, points, label=label)[0]
        best = best_epoch(records)
        axes.plot(places[best], points[best], "o", color=line.get_color())
    axes.set(ylabel=panel.label, xlabel="training time, seconds" if panel.over_time else "epoch")
    if not panel.over_time:
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
