"""Warnings of negsamp, in words alone, for those who see no code."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from negsamp import NegSampWarning

__all__ = ["warnings_told"]


@contextmanager
def warnings_told(tell: Callable[[str], None]) -> Iterator[None]:
    """Pass on the text of warnings of negsamp; others are shown as they are elsewhere.

    Parameters
    ----------
    tell : callable
        Is given the text of each.
    """
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_or_tell(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, NegSampWarning):
                tell(str(message))
            else:
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = show_or_tell
        yield
