"""The exact laws, computed densely in float64: what ``probabilities`` returns.

The log-weights of all items are masked to the admissible ones and normalised by a softmax, one row
of float64 per target. The backends do not use this code, and are tested against it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from negsamp.arguments import Arguments
from negsamp.backend import Backend, Catalogue
from negsamp.row_errors import invalid_score, outside_catalogue, place_of, unknown_user

__all__ = ["admissible", "exact", "normalised"]

Floats = npt.NDArray[np.float64]


def exact(
    catalogue: Catalogue,
    backend: Backend,
    arrays: Arguments,
    log_weights: Callable[[npt.NDArray[np.bool_]], Floats],
) -> Any:
    """Return Q(item | row) of a call; all zeros in rows that are masked or have no admissible item.

    Parameters
    ----------
    catalogue : Catalogue
    backend : Backend
        The backend of `arrays`.
    arrays : Arguments
    log_weights : callable
        Takes the rows to keep, bool of the targets' shape, and returns
        float64 (targets.size, len(items)), finite or -inf for items that may be drawn.

    Returns
    -------
    float64 array of the backend, shape targets.shape + (len(items),)

    Raises
    ------
    InvalidInputError
        If an id or user of a row that is kept does not exist.
    InvalidScoresError
        If an item that may be drawn has the weight NaN or +inf.
    """
    targets = backend.to_numpy(arrays.targets)
    users, mask, exclude = (None if each is None else backend.to_numpy(each) for each in arrays[1:])
    kept = np.ones(targets.shape, bool) if mask is None else mask
    weights = log_weights(kept)  # on ranks that score together, also compares their arguments
    allowed = admissible(catalogue, targets, users, exclude, kept)
    invalid = (allowed & ~(weights < np.inf)).any(axis=1)
    if invalid.any():
        raise invalid_score(int(invalid.argmax()), kept.shape)
    law = normalised(weights, allowed)
    return backend.asarray(law.reshape(*kept.shape, len(catalogue.items)), like=arrays.targets)


def admissible(
    catalogue: Catalogue,
    targets: npt.NDArray[Any],
    users: npt.NDArray[Any] | None,
    exclude: npt.NDArray[Any] | None,
    kept: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """Return which items each row may draw: all but its target and exclusions, none if not kept.

    Returns
    -------
    bool, shape (targets.size, len(items))
        One row per target in C order, one column per item in order of id.

    Raises
    ------
    InvalidInputError
        If an id or user of a row that is kept does not exist.
    """
    ids = np.arange(catalogue.items.start, catalogue.items.stop)
    allowed: npt.NDArray[np.bool_] = (ids != targets.reshape(-1, 1)) & kept.reshape(-1, 1)
    _check_ids("targets", targets, kept, catalogue.items)
    if exclude is not None:
        _check_ids("exclude", exclude, kept[..., None] & (exclude != -1), catalogue.items)
        for column in exclude.reshape(targets.size, exclude.shape[-1]).T:
            allowed &= ids != column[:, None]
    if catalogue.interactions is not None and users is not None:
        trailing = targets.ndim - users.ndim
        each = np.broadcast_to(users.reshape(users.shape + (1,) * trailing), targets.shape)
        each, num_users = each.reshape(-1), catalogue.interactions.num_users
        for row in np.flatnonzero(kept).tolist():  # the others may hold any user
            user = int(each[row])
            if not 0 <= user < num_users:
                raise unknown_user(place_of(row, targets.shape)[: users.ndim], user, num_users)
            allowed[row] &= ~np.isin(ids, catalogue.interactions.items_of(user))
    return allowed


def normalised(log_weights: Floats, allowed: npt.NDArray[np.bool_]) -> Floats:
    """Return ``exp(log_weights)`` over the allowed items of each row, divided by its sum."""
    masked = np.where(allowed, log_weights, -np.inf)
    highest = masked.max(axis=-1, keepdims=True)
    weights = np.exp(masked - np.where(np.isfinite(highest), highest, 0.0))
    total = weights.sum(axis=-1, keepdims=True)
    law: Floats = weights / np.where(total > 0, total, 1.0)
    return law


def _check_ids(name: str, ids: npt.NDArray[Any], read: npt.NDArray[np.bool_], items: range) -> None:
    """Raise for an id outside the catalogue, which a backend may leave to the kernels of a draw."""
    wrong = read & ((ids < items.start) | (ids >= items.stop))
    if wrong.any():
        place = place_of(int(wrong.argmax()), ids.shape)
        raise outside_catalogue(name, place, int(ids[place]), items)
