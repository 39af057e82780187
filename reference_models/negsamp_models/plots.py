"""Pictures of runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib

from negsamp_models.records import RunResult
from negsamp_models.results import write_whole

__all__ = ["plot_curves"]


def plot_curves(
    results: Mapping[str, RunResult], path: Path, title: str, metric: str = "NDCG@10"
) -> None:
    """Draw validation curves of several runs over epochs and over training time.

    Parameters
    ----------
    results : mapping of str to RunResult
        Label to run, at least one.
    path : Path
        PNG or SVG, by its suffix; written whole or not at all.
    title : str
        Above the picture.
    metric : str
        Key of the validation metrics, in percent.
    """
    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415  (after the backend is chosen)

    figure, (by_epoch, by_time) = pyplot.subplots(
        1, 2, figsize=(10, 4), sharey=True, layout="constrained"
    )
    for label, result in results.items():
        values = [record.validation[metric] for record in result.epochs]
        seconds, elapsed = [], 0.0
        for record in result.epochs:
            elapsed += record.training_seconds
            seconds.append(elapsed)
        line = by_epoch.plot(range(1, len(values) + 1), values, label=label)[0]
        by_time.plot(seconds, values, label=label, color=line.get_color())
        best = result.best_epoch
        by_epoch.plot(best + 1, values[best], "o", color=line.get_color())
        by_time.plot(seconds[best], values[best], "o", color=line.get_color())
    by_epoch.set(xlabel="epoch", ylabel=f"validation {metric}, percent")
    by_time.set(xlabel="training time, seconds")
    for axes in (by_epoch, by_time):
        axes.grid(alpha=0.3)
    by_epoch.legend(title="negatives")
    figure.suptitle(title)
    try:
        write_whole(path, lambda target: figure.savefig(target, dpi=150))
    finally:
        pyplot.close(figure)
