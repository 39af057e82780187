"""The laws written down once more, densely and in float64: what ``probabilities`` returns.

This is not how draws are made. It shares no code with the backends, and the tests hold them to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from negsamp.backend import Catalogue

__all__ = ["admissible", "normalised"]


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
        One line a target in C order, one column an item in order of id.
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


def normalised(
    log_weights: npt.NDArray[np.float64], allowed: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Return ``exp(log_weights)`` over the allowed items of each row, divided by its sum."""
    masked = np.where(allowed, log_weights, -np.inf)
    highest = masked.max(axis=-1, keepdims=True)
    weights = np.exp(masked - np.where(np.isfinite(highest), highest, 0.0))
    total = weights.sum(axis=-1, keepdims=True)
    law: npt.NDArray[np.float64] = weights / np.where(total > 0, total, 1.0)
    return law
