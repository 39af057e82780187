"""Counts, values, durations, positions of a run and differences, in words for messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["differences", "duration", "place", "plural", "short"]


def plural(number: int, word: str) -> str:
    """Return a number and a noun, such as "1 seed" or "2 seeds".

    Examples
    --------
    >>> plural(1, "seed"), plural(2, "seed")
    ('1 seed', '2 seeds')
    """
    return f"{number} {word}" + ("" if number == 1 else "s")


def short(value: Any) -> str:
    """Format the value of a setting, numbers without zeros at their end.

    Examples
    --------
    >>> short(2.50), short(40), short("batch")
    ('2.5', '40', 'batch')
    """
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def duration(seconds: float) -> str:
    """Format a time in minutes, or hours and minutes.

    Examples
    --------
    >>> duration(59.0), duration(8423.0)
    ('1 min', '2 h 20 min')
    """
    minutes = max(round(seconds / 60), 1)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def place(epochs: int, batches: int, last: int) -> str:
    """Format the position of a run after a number of finished epochs and batches of the next.

    Messages count epochs from 1; files count them from 0.

    Examples
    --------
    >>> place(1, 0, last=40), place(1, 5, last=40)
    ('after epoch 1 of 40', 'in epoch 2 of 40, after batch 5')
    """
    if not batches:
        return f"after epoch {epochs} of {last}"
    return f"in epoch {epochs + 1} of {last}, after batch {batches}"


def differences(there: Any, here: Any, name: str = "") -> list[str]:
    """List the differences of two nested mappings, each as "name is X there, Y here".

    Examples
    --------
    >>> differences({"seed": 0, "model": {"layers": 2}}, {"seed": 0, "model": {"layers": 3}})
    ['model.layers is 2 there, 3 here']
    """
    if not (isinstance(there, Mapping) and isinstance(here, Mapping)):
        return [] if there == here else [f"{name} is {there!r} there, {here!r} here"]
    return [
        difference
        for key in dict.fromkeys([*here, *there])
        for difference in differences(
            there.get(key, "missing"), here.get(key, "missing"), f"{name}.{key}".lstrip(".")
        )
    ]
