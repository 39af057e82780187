"""Plot of ratios: the time of each contender over that of the reference, at each size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contenders import REFERENCES
from benchmarks.records import CaseResult
from benchmarks.reporting.looks import DPI, MARKERS
from benchmarks.reporting.tables import ratio_of
from benchmarks.settings import Draw
from negsamp_models.files.pictures import save_picture

__all__ = ["Point", "draw_ratios", "points_of"]

EXCLUDED = {"genni": "target", "uniform": "interactions", "popularity": "interactions"}
"""What is excluded in the draws that are plotted, by law."""
SPREAD = 0.6
"""Fraction of the height of a row that its points take up."""


@dataclass(frozen=True)
class Point:
    """The ratio of one contender at one size."""

    contender: str
    setting: Draw
    threads: int
    ratio: float

    @property
    def size(self) -> tuple[int, int, int, int]:
        """The size, as a key by which the points of a row are ordered from top to bottom."""
        setting = self.setting
        return self.threads, setting.num_items, setting.dim, setting.rows


def draw_ratios(results: Sequence[CaseResult], path: Path) -> None:
    """Plot times over the reference: a panel per law, a row per contender.

    The colour of a point is the size of the catalogue, its shape the dimension of embeddings, its
    area the number of rows; a hollow point has one thread.

    Parameters
    ----------
    results : sequence of CaseResult
        Results; :func:`points_of` selects those that are plotted.
    path : Path
        A PNG, written completely or not at all.
    """
    points = points_of(results)
    if not points:
        return
    from matplotlib.figure import Figure  # noqa: PLC0415  (heavy, and for pictures alone)

    laws = list(dict.fromkeys(point.setting.law for point in points))
    panels_of = {law: [point for point in points if point.setting.law == law] for law in laws}
    heights = [1 + len({each.contender for each in drawn}) for drawn in panels_of.values()]
    figure = Figure(figsize=(9, 1 + 0.42 * sum(heights)), layout="constrained")
    panels = figure.subplots(len(laws), height_ratios=heights, squeeze=False)
    signs = Signs.of(points)
    for axes, (law, drawn) in zip(panels[:, 0], panels_of.items(), strict=True):
        _draw_law(axes, law, drawn, signs)
    figure.legend(handles=signs.key(), loc="outside lower center", ncols=4, fontsize="small")
    figure.suptitle("Time over that of the reference; one negative a row, beta = 1")
    save_picture(figure, path, DPI)


def points_of(results: Sequence[CaseResult]) -> list[Point]:
    """Return the ratios for one negative and beta = 1, of cases with peers."""
    points = []
    for result in results:
        if result.axis is not None or all(each.role != "peer" for each in result.measurements):
            continue
        for each in result.measurements:
            setting, ratio = each.setting, ratio_of(result, each)
            if ratio is None or not isinstance(setting, Draw):
                continue
            is_first = setting.num_negatives == 1 and setting.beta == 1
            is_first = is_first and setting.exclude == EXCLUDED[setting.law]
            if is_first and each.contender != REFERENCES[setting.law]:
                points.append(Point(each.contender, setting, result.threads, ratio))
    return points


@dataclass(frozen=True)
class Signs:
    """Marker styles of sizes: colours by catalogue, shapes by dimension, diameters by rows."""

    colours: dict[int, Any]
    shapes: dict[int, str]
    diameters: dict[int, float]
    threads: list[int]

    @classmethod
    def of(cls, points: Sequence[Point]) -> Signs:
        """Assign styles to the sizes that occur: dark to light, small to large."""
        import matplotlib  # noqa: PLC0415  (heavy, and for pictures alone)

        settings = [point.setting for point in points]
        items, dims, rows = (
            sorted({getattr(setting, name) for setting in settings})
            for name in ("num_items", "dim", "rows")
        )
        shades = matplotlib.colormaps["viridis"]
        return cls(
            {each: shades(0.85 * n / max(len(items) - 1, 1)) for n, each in enumerate(items)},
            dict(zip(dims, MARKERS, strict=False)),
            {each: 5.0 + 4.0 * n for n, each in enumerate(rows)},
            sorted({point.threads for point in points}),
        )

    def look(self, point: Point) -> dict[str, Any]:
        """Return the marker style of a point."""
        setting = point.setting
        colour = self.colours[setting.num_items]
        return {
            "color": colour,
            "markerfacecolor": "none" if point.threads == 1 else colour,
            "marker": self.shapes[setting.dim],
            "markersize": self.diameters[setting.rows],
        }

    def key(self) -> list[Any]:
        """Return the legend: each marker style with its meaning."""
        from matplotlib.lines import Line2D  # noqa: PLC0415  (heavy, and for pictures alone)

        def sign(label: str, **look: Any) -> Any:
            plain: dict[str, Any] = {
                "marker": "o",
                "color": "0.4",
                "markersize": 7.0,
                "linestyle": "none",
            }
            return Line2D([], [], label=label, **plain | look)

        return [
            *(sign(f"V = {each:,}", color=colour) for each, colour in self.colours.items()),
            *(sign(f"d = {each}", marker=shape) for each, shape in self.shapes.items()),
            *(sign(f"{each:,} rows", markersize=wide) for each, wide in self.diameters.items()),
            *(
                sign(
                    f"{each} thread{'s' * (each > 1)}",
                    markerfacecolor="none" if each == 1 else "0.4",
                )
                for each in self.threads
            ),
        ]


def _draw_law(axes: Any, law: str, points: Sequence[Point], signs: Signs) -> None:
    """Draw one panel: a row per contender, its points from top to bottom by size."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: PLC0415

    names = list(dict.fromkeys(point.contender for point in points))
    sizes = sorted({point.size for point in points})
    for point in points:
        aside = SPREAD * ((sizes.index(point.size) + 0.5) / len(sizes) - 0.5)
        row = names.index(point.contender) + aside
        axes.plot(point.ratio, row, linestyle="none", **signs.look(point))
    axes.axvline(1.0, color="0.4", linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_title(f"{law}; excluded: {EXCLUDED[law]}", fontsize="medium")
    axes.set_xlabel(f"times that of {REFERENCES[law]}")
    axes.grid(alpha=0.3, axis="x")
    for boundary in range(1, len(names)):
        axes.axhline(boundary - 0.5, color="0.9", linewidth=0.8)
