"""The look that all plots of the report share."""

from __future__ import annotations

__all__ = ["COLOURS", "DPI", "MARKERS"]

COLOURS = ("#0072b2", "#000000", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""The palette of Okabe and Ito, which is safe for colour-blind readers."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DPI = 130
