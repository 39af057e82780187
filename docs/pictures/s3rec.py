"""The picture on the page of S3-Rec: ``python docs/pictures/s3rec.py`` writes ``s3rec.png``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot
from matplotlib.patches import FancyBboxPatch

MASK = ""
RIGHT, WRONG = {"linestyle": "-", "linewidth": 2.0}, {"linestyle": "--", "linewidth": 1.0}
BLUE, GREY, DARK = "#cfe3f2", "0.92", "0.55"


def main(path: Path) -> None:
    """Draw a panel for each objective."""
    figure, panels = pyplot.subplots(2, 2, figsize=(10, 6), layout="constrained")
    sample = ["1", "2", MASK, "4", MASK]
    attributes = [("brand 7", RIGHT), ("spicy", RIGHT), ("all others", WRONG)]
    draw_place(panels[0, 0], sample, 1, attributes)
    draw_place(panels[0, 1], sample, 2, [("item 3", RIGHT), ("item 9", WRONG)])
    draw_place(panels[1, 0], sample, 2, attributes)
    draw_segments(panels[1, 1])
    titles = (
        "AAP: which attributes does this item have?",
        "MIP: which item is masked here?",
        "MAP: which attributes does the masked item have?",
        "SP: which segment was cut out?",
    )
    for axes, title in zip(panels.flat, titles, strict=True):
        axes.set(xlim=(0, 10), ylim=(0, 5.4), title=title)
        axes.set_axis_off()
    figure.suptitle("Solid: positive; dashed: negative; dark: masked", fontsize="medium")
    figure.savefig(path, dpi=130)


def draw_place(
    axes: Any, items: Sequence[str], place: int, answers: Sequence[tuple[str, dict[str, Any]]]
) -> None:
    """Draw an encoded sample from the bottom up, and what is asked of the state at a place."""
    draw_items(axes, 1.5, 0.4, items)
    draw_box(axes, 1.5, 1.9, 7, 0.9, "bidirectional encoder", facecolor=GREY)
    for column in range(len(items)):
        draw_arrow(axes, (2.1 + 1.45 * column, 1.35), (2.1 + 1.45 * column, 1.85))
    middle = 2.1 + 1.45 * place
    draw_arrow(axes, (middle, 2.85), (middle, 4.0))
    axes.text(middle + 0.15, 3.3, "$W h + b$", va="center")
    left, right = 5.15 - 1.55 * len(answers), 4.85 + 1.55 * len(answers)
    axes.plot([left, right], [4.0, 4.0], color="black", linewidth=1.0)
    for column, (answer, look) in enumerate(answers):
        draw_box(axes, left + 3.1 * column, 4.2, 2.8, 0.9, answer, facecolor="white", **look)


def draw_segments(axes: Any) -> None:
    """Draw the three sequences of the last objective, and the states at their ends."""
    rows: list[tuple[str, Sequence[str], dict[str, Any]]] = [
        ("$W h + b$", ["1", MASK, MASK, "4", "5"], {"linewidth": 1.0}),
        ("$x^+$", [MASK, "2", "3", MASK, MASK], RIGHT),
        ("$x^-$", [MASK, "8", "6", MASK, MASK], WRONG),
    ]
    names = ("without the segment", "the segment alone", "one from elsewhere")
    for row, ((state, items, look), name) in enumerate(zip(rows, names, strict=True)):
        bottom = 4.0 - 1.85 * row
        draw_items(axes, 0.2, bottom, items, step=1.05)
        axes.text(0.2, bottom + 1.0, name, fontsize="small", va="bottom")
        draw_arrow(axes, (5.45, bottom + 0.45), (7.0, bottom + 0.45))
        axes.text(6.2, bottom + 0.55, "encoder", fontsize="small", ha="center", va="bottom")
        draw_box(axes, 7.1, bottom, 2.2, 0.9, state, facecolor="white", **look)


def draw_items(
    axes: Any, left: float, bottom: float, items: Sequence[str], step: float = 1.45
) -> None:
    """Draw a sequence of items, dark where the mask stands."""
    for column, item in enumerate(items):
        colour = DARK if item == MASK else BLUE
        draw_box(axes, left + step * column, bottom, 0.82 * step, 0.9, item, facecolor=colour)


def draw_box(
    axes: Any, left: float, bottom: float, width: float, height: float, text: str, **look: Any
) -> None:
    """Draw a box with a text in its middle."""
    box = FancyBboxPatch((left, bottom), width, height, boxstyle="round,pad=0", **look)
    axes.add_patch(box)
    axes.text(left + width / 2, bottom + height / 2, text, ha="center", va="center")


def draw_arrow(axes: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw an arrow."""
    axes.annotate("", end, start, arrowprops={"arrowstyle": "->"})


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"))
