"""The ways to rank the test items of a data set."""

from __future__ import annotations

__all__ = ["rankings"]


def rankings(dataset: str) -> list[tuple[str, bool]]:
    """Return the ways to rank test items of a data set: name, and whether seen items are masked."""
    if dataset != "Yelp":
        return [(dataset, True)]
    return [("Yelp, seen items masked", True), ("Yelp, seen items ranked", False)]
