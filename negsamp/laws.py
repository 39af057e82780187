"""The exact laws, computed densely in float64: what ``probabilities`` returns.

The log-weights of all items are masked to the admissible ones and normalised by a softmax, one row
of float64 per target. The backends do not use this code, and are tested against it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from negsamp.backend import Backend, Catalogue
from negsamp.row_errors import invalid_score

__all__ = ["admissible", "exact", "normalised"]

Floats = npt.NDArray[np.float64]


def exact(
    catalogue: Catalogue,
    backend: Backend,
    arrays: tuple[Any, Any, Any, Any],
    log_weights: Callable[[npt.NDArray[np.bool_]], Floats],
) -> Any:
    """Return Q(item | row) of a call; all zeros in rows that are masked or have no admissible item.

    Parameters
    ----------
    catalogue : Catalogue
    backend : Backend
        The backend of `arrays`.
    arrays : tuple
        Targets, users, mask and exclude, as a sampler checked them.
    log_weights : callable
        Takes the rows to keep, bool of the targets' shape, and returns
        float64 (targets.size, len(items)), finite or -inf for items that may be drawn.

    Returns
    -------
    float64 array of the backend, shape targets.shape + (len(items),)

    Raises
    ------
    InvalidScoresError
        If an item that may be drawn has the weight NaN or +inf.
    """
    targets = backend.to_numpy(arrays[0])
    users, mask, exclude = (None if each is None else backend.to_numpy(each) for each in arrays[1:])
    kept = np.ones(targets.shape, bool) if mask is None else mask
    if users is not None:  # rows left out may hold any user
        each = users.reshape(users.shape + (1,) * (kept.ndim - users.ndim))
        users = np.where(kept, np.broadcast_to(each, kept.shape), 0)
    weights = log_weights(kept)
    allowed = admissible(catalogue, targets, users, exclude) & kept.reshape(-1, 1)
    invalid = (allowed & ~(weights < np.inf)).any(axis=1)
    if invalid.any():
        raise invalid_score(int(invalid.argmax()), kept.shape)
    law = normalised(weights, allowed)
    return backend.asarray(law.reshape(*kept.shape, len(catalogue.items)), like=arrays[0])


def admissible(
    catalogue: Catalogue,
    targets: npt.NDArray[Any],
    users: npt.NDArray[Any] | None,
    exclude: npt.NDArray[Any] | None,
) -> npt.NDArray[np.bool_]:
    """Return which items each row may draw: all but its target and its exclusions.

    Returns
    -------
    bool, shape (targets.size, len(items))
        One row per target in C order, one column per item in order of id.
    """
    ids = np.arange(catalogue.items.start, catalogue.items.stop)
    allowed: npt.NDArray[np.bool_] = ids != targets.reshape(-1, 1)
    if exclude is not None:
        for column in exclude.reshape(targets.size, exclude.shape[-1]).T:
            allowed &= ids != column[:, None]
    if catalogue.interactions is not None and users is not None:
        trailing = targets.ndim - users.ndim
        each = np.broadcast_to(users.reshape(users.shape + (1,) * trailing), targets.shape)
        for row, user in enumerate(each.reshape(-1)):
            allowed[row] &= ~np.isin(ids, catalogue.interactions.items_of(int(user)))
    return allowed


def normalised(log_weights: Floats, allowed: npt.NDArray[np.bool_]) -> Floats:
    """Return ``exp(log_weights)`` over the allowed items of each row, divided by its sum."""
    masked = np.where(allowed, log_weights, -np.inf)
    highest = masked.max(axis=-1, keepdims=True)
    weights = np.exp(masked - np.where(np.isfinite(highest), highest, 0.0))
    total = weights.sum(axis=-1, keepdims=True)
    law: Floats = weights / np.where(total > 0, total, 1.0)
    return law
