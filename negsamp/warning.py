"""Warnings that point at the line of the user's code that called negsamp."""

from __future__ import annotations

import inspect
import warnings
from types import FrameType

__all__ = ["NegSampWarning", "warn_caller"]


class NegSampWarning(UserWarning):
    """Category of all warnings of negsamp."""


_INSIDE = ("negsamp", "torch")
"""Packages whose lines are not the caller's: torch wraps the calls that it must not compile."""


def warn_caller(text: str) -> None:
    """Warn at the innermost line outside negsamp, whatever the depth of the call inside."""
    frame, level = inspect.currentframe(), 1
    while frame is not None and _package_of(frame) in _INSIDE:
        frame, level = frame.f_back, level + 1
    warnings.warn(text, NegSampWarning, stacklevel=level)


def _package_of(frame: FrameType) -> str:
    """Return the top package of a frame's code; code run by `exec` may have none."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
