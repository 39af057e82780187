"""The result of a draw."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Negatives"]


class Negatives(NamedTuple):
    """Sampled negatives, each with its log-probability under the law it was drawn from.

    Both arrays are in the framework and on the device of the targets. The last axis is always
    kept, even for a single negative per row.

    Attributes
    ----------
    item_ids : int64, shape targets.shape + (num_negatives,)
        Ids from the catalogue; 0 in rows that a mask left out.
    log_q : float32, shape targets.shape + (num_negatives,)
        Natural logarithm of Q(item | row), the law of a single draw; 0 in rows that a mask left
        out. In a sampled softmax, subtract it and ``log(num_negatives)`` from the scores of the
        negatives. With a pre-selection (beta < 1) it is conditional on the candidates, and the
        softmax is over these alone unless ``log(num_candidates / num_items)`` is subtracted too.
    """

    item_ids: Any
    log_q: Any
