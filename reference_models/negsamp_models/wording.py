"""Numbers in words for people: how many of what, how long."""

from __future__ import annotations

__all__ = ["duration", "plural"]


def plural(number: int, word: str) -> str:
    """Return a number and a word, such as "1 seed" or "2 seeds".

    Examples
    --------
    >>> plural(1, "seed"), plural(2, "seed")
    ('1 seed', '2 seeds')
    """
    return f"{number} {word}" + ("" if number == 1 else "s")


def duration(seconds: float) -> str:
    """Return a time in minutes, or hours and minutes.

    Examples
    --------
    >>> duration(59.0), duration(8423.0)
    ('1 min', '2 h 20 min')
    """
    minutes = max(round(seconds / 60), 1)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
