"""The errors of the rows of a call, the same on all backends: they raise what these return.

A row is given by its number among the targets in C order, and by the shape of the targets.
"""

from __future__ import annotations

import numpy as np

from negsamp.errors import InvalidInputError, InvalidScoresError, NoNegativesError

__all__ = [
    "changed_score",
    "few_negatives",
    "invalid_score",
    "no_finite_score",
    "no_weight",
    "outside_catalogue",
    "place_of",
    "row_name",
    "unknown_ids",
    "unknown_user",
]


def place_of(row: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the index of a row in the targets, given its number in C order."""
    return tuple(int(index) for index in np.unravel_index(row, shape)) if shape else ()


def row_name(row: int, shape: tuple[int, ...]) -> str:
    """Name a row of the targets: "row 875", "row (3, 2)" of several axes, "the row" of none."""
    place = place_of(row, shape)
    if not place:
        return "the row"
    return f"row {place[0] if len(place) == 1 else place}"


def outside_catalogue(name: str, place: tuple[int, ...], item: int, items: range) -> Exception:
    """Return the error for an id outside the catalogue."""
    also = " (-1 stands for none)" if name == "exclude" else ""
    if name == "targets" and item == 0:
        also = "; if it is padding, leave it out by mask=targets != 0"
    return InvalidInputError(f"{name}{list(place)} = {item} is outside the catalogue {items}{also}")


def unknown_user(place: tuple[int, ...], user: int, num_users: int) -> Exception:
    """Return the error for a user that the interactions do not have."""
    known = f"users 0 to {num_users - 1}" if num_users else "no users"
    return InvalidInputError(
        f"users{list(place)} = {user} is unknown: the interactions have {known}"
    )


def unknown_ids(row: int, shape: tuple[int, ...]) -> Exception:
    """Return the error for a row with an invalid id or user, if it is not known which."""
    return InvalidInputError(
        f"{row_name(row, shape)} has a target or an excluded id outside the catalogue, or an "
        "unknown user"
    )


def few_negatives(
    row: int,
    shape: tuple[int, ...],
    admissible: int,
    num_negatives: int,
    num_candidates: int,
    preselected: bool,
) -> Exception:
    """Return the error for a row with no admissible item, or not enough of them.

    `preselected` says whether the candidates may be fewer than the catalogue, which beta decides.
    """
    name = row_name(row, shape)
    if admissible == 0:
        more = "exclude less, raise beta," if preselected else "exclude less,"
        covered = "its one candidate" if num_candidates == 1 else f"all {num_candidates} candidates"
        return NoNegativesError(
            f"{name} has no admissible item: its target and exclusions cover {covered}; {more} or "
            "mask the row"
        )
    items = "1 admissible item" if admissible == 1 else f"{admissible} admissible items"
    return NoNegativesError(
        f"{name} has {items}, fewer than num_negatives = {num_negatives}, and replacement=False "
        "forbids repeats"
    )


def no_finite_score(row: int, shape: tuple[int, ...], drawn: int) -> Exception:
    """Return the error for a row that has only scores of -inf left after `drawn` draws."""
    return _nothing_left(row, shape, drawn, "score -inf")


def no_weight(row: int, shape: tuple[int, ...], drawn: int) -> Exception:
    """Return the error for a row that has only counts of 0 left after `drawn` draws."""
    return _nothing_left(row, shape, drawn, "count 0")


def invalid_score(row: int, shape: tuple[int, ...]) -> Exception:
    """Return the error for a row with a score that is NaN, +inf or too large."""
    return InvalidScoresError(
        f"{row_name(row, shape)} has a score that is NaN or +inf, or overflows float32 when "
        "multiplied by alpha; scores must be finite, or -inf for an item never to be drawn"
    )


def changed_score(row: int, shape: tuple[int, ...]) -> Exception:
    """Return the error for a row whose scores of a block, computed again, allow no draw from it."""
    return InvalidScoresError(
        f"{row_name(row, shape)} has a score that was finite, and is NaN or infinite when its item "
        "is scored again: within a call a callable must score an item the same each time, without "
        "dropout or anything else that is random"
    )


def _nothing_left(row: int, shape: tuple[int, ...], drawn: int, problem: str) -> Exception:
    after = f" after {drawn} distinct draws" if drawn else ""
    return NoNegativesError(
        f"{row_name(row, shape)} has no item left to draw{after}: every admissible item has "
        f"{problem} or was drawn"
    )
