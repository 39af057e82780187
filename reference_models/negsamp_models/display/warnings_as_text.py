"""Show warnings of negsamp as plain text, for users of the command line."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from negsamp import NegSampWarning

__all__ = ["warnings_as_text"]


@contextmanager
def warnings_as_text(show_text: Callable[[str], None]) -> Iterator[None]:
    """Pass the text of negsamp's warnings to a function; other warnings are shown as usual.

    Parameters
    ----------
    show_text : callable
        Called with the text of each.
    """
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_warning(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, NegSampWarning):
                show_text(str(message))
            else:
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = show_warning
        yield
