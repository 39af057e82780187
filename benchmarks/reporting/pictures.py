"""Shared code of plots: pyplot without a display, styles, and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

from negsamp_models.files.writing import write_whole

__all__ = ["COLOURS", "MARKERS", "pyplot", "save"]

COLOURS = ("#0072b2", "#000000", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""The palette of Okabe and Ito, which is safe for colour-blind readers."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def pyplot() -> Any:
    """Return pyplot with a backend that only writes files."""
    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415  (after the backend is chosen)

    return pyplot


def save(figure: Any, path: Path) -> None:
    """Write a figure, completely or not at all, and close it."""
    try:
        write_whole(path, lambda target: figure.savefig(target, dpi=130))
    finally:
        pyplot().close(figure)
