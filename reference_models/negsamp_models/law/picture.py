"""Plot the law of one user's negatives, along the sequence and over training."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np

from negsamp_models.files.pictures import picture_path, save_picture
from negsamp_models.law.study import LawStage, LawStudy
from negsamp_models.wording import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_law", "moment"]

_COLOURS = "magma"


def draw_law(study: LawStudy, path: str | Path, title: str) -> None:
    """Plot how a law concentrates on few items during training.

    The upper row has one heat map per stage: positions of the sequence on the x axis, the items
    most likely to be drawn in the last stage on the y axis, brighter for a higher probability. A
    ring marks the target, which is never drawn; items of the sequence itself are in bold. Below
    are the probability by rank of the item, and the effective number of items drawn: the
    exponential of the entropy.

    Parameters
    ----------
    study : LawStudy
        What to plot.
    path : str or Path
        PNG, SVG or PDF, by its suffix; written completely or not at all.
    title : str
        Title of the figure.

    Raises
    ------
    InvalidInputError
        If the suffix is not one of these.
    """
    path = picture_path(path)
    from matplotlib.figure import Figure  # noqa: PLC0415  (heavy, and for pictures alone)

    num_stages = len(study.stages)
    height = max(0.22 * len(study.items), 3.0)
    figure = Figure(figsize=(2.9 * num_stages + 1.2, height + 4.4), layout="constrained")
    grid = figure.add_gridspec(2, 2 * num_stages, height_ratios=[height, 3.0])
    colours = matplotlib.colormaps[_COLOURS](np.linspace(0.15, 0.85, num_stages))
    panels: list[Any] = []
    for place, stage in enumerate(study.stages):
        shared = panels[0] if panels else None
        axes = figure.add_subplot(grid[0, 2 * place : 2 * place + 2], sharey=shared)
        panels.append(axes)
        image = _draw_stage(axes, study, stage, labelled=place == 0)
    bar = figure.colorbar(image, ax=panels, pad=0.01, fraction=0.03)
    bar.set_label("times as likely as uniform")
    _draw_ranks(figure.add_subplot(grid[1, :num_stages]), study, colours)
    _draw_sharers(figure.add_subplot(grid[1, num_stages:]), study, colours)
    figure.suptitle(title, parse_math=False)
    save_picture(figure, path, dpi=120)


def _draw_stage(axes: Axes, study: LawStudy, stage: LawStage, labelled: bool) -> Any:
    """Draw one heat map: the probability of each item at each position."""
    from matplotlib.colors import LogNorm  # noqa: PLC0415  (heavy, and for pictures alone)

    heat = np.array(stage.probabilities).T * study.num_items
    norm = LogNorm(1.0, study.num_items, clip=True)
    image = axes.imshow(np.maximum(heat, 1e-9), cmap=_COLOURS, norm=norm, aspect="auto")
    for position, target in enumerate(study.targets):
        if target in study.items:
            axes.plot(position, study.items.index(target), "o", mfc="none", mec="white", ms=6)
    steps = range(len(study.inputs))
    axes.set_xticks(steps, [str(item) for item in study.inputs], rotation=90, fontsize=7)
    axes.set_yticks(range(len(study.items)), [str(item) for item in study.items], fontsize=7)
    for text, item in zip(axes.get_yticklabels(), study.items, strict=True):
        text.set_fontweight("bold" if item in study.inputs else "normal")
    axes.tick_params(axis="y", labelleft=labelled)
    axes.set_title(moment(study, stage), fontsize=10)
    axes.set_xlabel("after item", fontsize=9)
    if labelled:
        axes.set_ylabel("negative item", fontsize=9)
    return image


def _draw_ranks(axes: Axes, study: LawStudy, colours: Any) -> None:
    """Draw probability by rank, one line per stage."""
    for stage, colour in zip(study.stages, colours, strict=True):
        label = moment(study, stage)
        axes.loglog(study.ranks, stage.by_rank, "o-", ms=3, color=colour, label=label)
    axes.axhline(1 / study.num_items, color="grey", linestyle=":", label="uniform")
    lowest = 0.01 / study.num_items
    axes.set_ylim(bottom=lowest, top=1.5)
    axes.set(xlabel="rank of the item", ylabel="probability, mean over positions")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def _draw_sharers(axes: Axes, study: LawStudy, colours: Any) -> None:
    """Draw the exponential of the entropy at each position, one line per stage."""
    steps = range(1, len(study.inputs) + 1)
    for stage, colour in zip(study.stages, colours, strict=True):
        axes.semilogy(steps, [math.exp(each) for each in stage.entropy], "o-", ms=3, color=colour)
    axes.axhline(study.num_items, color="grey", linestyle=":")
    axes.set_ylim(bottom=0.8, top=2 * study.num_items)
    axes.set_xticks(steps)
    axes.set(xlabel="position in the sequence", ylabel="effective number of items")
    axes.grid(alpha=0.3)


def moment(study: LawStudy, stage: LawStage) -> str:
    """Name the time of a stage, such as "after 5 epochs"."""
    if not stage.epochs:
        return "before training"
    kept = ", the best" if stage is study.stages[-1] else ""
    return f"after {plural(stage.epochs, 'epoch')}{kept}"
