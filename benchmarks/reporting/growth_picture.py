"""Plot of growth: time against each axis, each contender in one style."""

from __future__ import annotations

import math
from itertools import cycle
from pathlib import Path
from typing import Any

from benchmarks.reporting.growth import AXES, Growth
from benchmarks.reporting.looks import COLOURS, DPI, MARKERS
from negsamp_models.files.pictures import save_picture

__all__ = ["draw_growth", "styles"]

LINES = {"ours": "-", "reference": "--", "peer": ":"}


def draw_growth(growths: dict[str, list[Growth]], path: Path) -> None:
    """Draw time against each axis, both logarithmic, with the fitted exponents in the legends.

    Parameters
    ----------
    growths : dict of str to list of Growth
        By axis, as returned by :func:`benchmarks.reporting.growth.growths`.
    path : Path
        A PNG, written completely or not at all.
    """
    if not growths:
        return
    from matplotlib.figure import Figure  # noqa: PLC0415  (heavy, and for pictures alone)

    lines = -(-len(growths) // 2)
    figure = Figure(figsize=(10, 4 * lines), layout="constrained")
    panels = figure.subplots(lines, 2, squeeze=False)
    looks = styles(growths)
    for axes, (axis, each) in zip(panels.flat, growths.items(), strict=False):
        _draw_axis(axes, axis, each, looks)
    for axes in list(panels.flat)[len(growths) :]:
        axes.set_axis_off()
    figure.suptitle("Time of a call; solid: this library, dashed: reference, dotted: peers")
    save_picture(figure, path, DPI)


def styles(growths: dict[str, list[Growth]]) -> dict[str, dict[str, Any]]:
    """Return the style of each contender: its own colour and marker, the line style of its role."""
    roles = {each.contender: each.role for lines in growths.values() for each in lines}
    return {
        name: {"color": colour, "marker": marker, "linestyle": LINES[role]}
        for (name, role), colour, marker in zip(
            roles.items(), cycle(COLOURS), cycle(MARKERS), strict=False
        )
    }


def _draw_axis(
    axes: Any, axis: str, growths: list[Growth], looks: dict[str, dict[str, Any]]
) -> None:
    """Draw one panel, with a tick at each measured point and whole decades of time."""
    from matplotlib.ticker import EngFormatter, NullFormatter, NullLocator  # noqa: PLC0415

    for growth in sorted(growths, key=lambda growth: -growth.seconds[-1]):
        label = f"{growth.contender}: {growth.exponent:.2f}"
        axes.loglog(
            growth.values, growth.seconds, markersize=5, label=label, **looks[growth.contender]
        )
    values = sorted({value for growth in growths for value in growth.values})
    seconds = [each for growth in growths for each in growth.seconds]
    axes.set_xticks(values, [f"{value:,.0f}" for value in values], fontsize="small")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(EngFormatter("s"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    low, high = math.log10(min(seconds)), math.log10(max(seconds))
    axes.set_ylim(10.0 ** math.floor(low), 10.0 ** math.ceil(high))
    axes.set(xlabel=AXES.get(axis, axis), ylabel="time of a call")
    axes.grid(alpha=0.3, which="both")
    axes.legend(title="exponent", fontsize="small")
