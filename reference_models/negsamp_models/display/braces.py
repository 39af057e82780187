"""Brace expansion, as in a shell."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["expanded"]

_BRACES = re.compile(r"(.*?)\{([^{}]*)\}(.*)")


def expanded(word: str) -> Iterator[str]:
    """Yield the brace expansions of a word.

    Examples
    --------
    >>> list(expanded("results/{beauty,yelp}/uniform"))
    ['results/beauty/uniform', 'results/yelp/uniform']
    """
    if (found := _BRACES.fullmatch(word)) is None:
        yield word
        return
    before, choices, after = found.groups()
    for choice in choices.split(","):
        yield from expanded(f"{before}{choice}{after}")
