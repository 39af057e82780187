"""Pictures of results: times over the floor, and growth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

from benchmarks.growth import Growth
from benchmarks.records import CaseResult
from benchmarks.settings import Draw
from benchmarks.tables import ratio_of
from negsamp_models.results import write_whole

__all__ = ["draw_growth", "draw_ratios"]

AXES = {
    "num_items": "items of the catalogue, V",
    "num_negatives": "negatives a row, k",
    "rows": "rows of the batch",
    "threads": "threads",
}


def draw_ratios(results: Sequence[CaseResult], path: Path) -> None:
    """Draw times over the floor: a panel a law, a line a contender, a colour a size.

    Parameters
    ----------
    results : sequence of CaseResult
        Drawn are single negatives by beta = 1, of the cases in which there are peers.
    path : Path
        A PNG, written whole or not at all.
    """
    points: dict[str, dict[str, list[tuple[str, float]]]] = {}
    for result in results:
        if result.axis is not None or all(each.role != "peer" for each in result.measurements):
            continue
        for each in result.measurements:
            setting, ratio = each.setting, ratio_of(result, each)
            if ratio is None or not isinstance(setting, Draw):
                continue
            if setting.num_negatives == 1 and setting.beta == 1:
                lines = points.setdefault(setting.law, {})
                lines.setdefault(each.contender, []).append((_label(setting, result), ratio))
    if not points:
        return
    sizes = [len(contenders) for contenders in points.values()]
    figure, panels = _pyplot().subplots(
        len(points),
        figsize=(9, 1.5 * len(points) + 0.35 * sum(sizes)),
        height_ratios=sizes,
        squeeze=False,
        layout="constrained",
    )
    for axes, (law, contenders) in zip(panels[:, 0], points.items(), strict=True):
        _draw_law(axes, law, contenders)
    _save(figure, path)


def draw_growth(growths: dict[str, list[Growth]], path: Path) -> None:
    """Draw time against each axis, both logarithmic, with the fitted exponents in the legends.

    Parameters
    ----------
    growths : dict of str to list of Growth
        By axis, as :func:`benchmarks.growth.growths` gives them.
    path : Path
        A PNG, written whole or not at all.
    """
    if not growths:
        return
    lines = -(-len(growths) // 2)
    figure, panels = _pyplot().subplots(
        lines, 2, figsize=(11, 4.2 * lines), squeeze=False, layout="constrained"
    )
    for axes, (axis, each) in zip(panels.flat, growths.items(), strict=False):
        for growth in sorted(each, key=lambda growth: -growth.seconds[-1]):
            label = f"{growth.contender}: {growth.exponent:.2f}"
            axes.loglog(growth.values, growth.seconds, "o-", markersize=4, label=label)
        axes.set(xlabel=AXES.get(axis, axis), ylabel="seconds a call")
        axes.grid(alpha=0.3, which="both")
        axes.legend(title="exponent", fontsize="small")
    for axes in list(panels.flat)[len(growths) :]:
        axes.set_axis_off()
    _save(figure, path)


def _label(setting: Draw, result: CaseResult) -> str:
    sizes = [setting.rows, setting.num_items, *([setting.dim] if setting.law == "genni" else [])]
    excluded = ", interactions" if setting.law == "genni" and setting.exclude != "target" else ""
    size = " x ".join(f"{size:,}" for size in sizes)
    return f"{size}{excluded}; threads: {result.threads}"


def _draw_law(axes: Any, law: str, contenders: dict[str, list[tuple[str, float]]]) -> None:
    """Draw one panel: a line a contender, a marker a size."""
    names = list(contenders)
    labels = list(dict.fromkeys(label for each in contenders.values() for label, _ in each))
    for place, label in enumerate(labels):
        drawn = [
            (ratio, names.index(name))
            for name, each in contenders.items()
            for which, ratio in each
            if which == label
        ]
        offset = (place - (len(labels) - 1) / 2) * 0.5 / max(len(labels), 1)
        axes.plot(
            [ratio for ratio, _ in drawn], [row + offset for _, row in drawn], "o", label=label
        )
    axes.axvline(1.0, color="0.6", linewidth=1)
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(title=law, xlabel="time over the floor")
    axes.grid(alpha=0.3, axis="x", which="both")
    axes.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1.01, 0.5))


def _pyplot() -> Any:
    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415  (after the backend is chosen)

    return pyplot


def _save(figure: Any, path: Path) -> None:
    try:
        write_whole(path, lambda target: figure.savefig(target, dpi=130))
    finally:
        _pyplot().close(figure)
