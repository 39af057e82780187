"""The result of a draw."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Negatives"]


class Negatives(NamedTuple):
    """Sampled negatives and the log-probability of each under the law it was drawn from.

    Both arrays belong to the framework, and lie on the device, of the targets they were sampled
    for. The last axis is never flattened away, also for one negative a row.

    Attributes
    ----------
    item_ids : int64, shape targets.shape + (num_negatives,)
        Ids from the catalogue; 0 in rows that a mask left out.
    log_q : float32, shape targets.shape + (num_negatives,)
        Natural logarithm of Q(item | row), the law of a single draw; 0 in rows that a mask left
        out. For a sampled softmax, subtract it and ``log(num_negatives)`` from the scores; with a
        pre-selection (beta < 1) it is conditional on the candidates, and the sum is theirs, unless
        ``log(num_candidates / num_items)`` is subtracted too.
    """

    item_ids: Any
    log_q: Any
