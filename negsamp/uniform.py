"""Uniform negatives."""

from __future__ import annotations

from typing import Any, Literal, SupportsIndex

import numpy as np

from negsamp.backend import Backend, Catalogue
from negsamp.interactions import Interactions
from negsamp.negatives import Negatives
from negsamp.sampler import Sampler
from negsamp.scores import Scorer
from negsamp.stream import Stream
from negsamp.validation import as_catalogue

__all__ = ["Uniform"]


class Uniform(Sampler):
    """Draw each admissible item with the same probability.

    The admissible items A(r) of row r are the catalogue without the row's target, the items of
    its user and its exclusions. ``Q(i | r) = 1 / |A(r)|`` for i in A(r).

    Parameters
    ----------
    items : range or int
        The catalogue: a contiguous range of ids, or n for range(n).
    num_negatives : int
        Number of negatives per target, >= 1.
    interactions : Interactions, optional
        Excludes from each row all items that its user has interacted with.
    replacement : bool
        Whether an item may repeat among the negatives of a row. If not, they are drawn one after
        another, each from the remaining items, and log_q is the law of the first draw.
    backend : str
        "auto", or a name from :func:`available_backends`. "auto" stands for the environment
        variable NEGSAMP_BACKEND if it is set, else for the backend of the call's arrays: "numba",
        where it is installed, for NumPy arrays and for PyTorch tensors on the CPU.
    seed : int
        In [0, 2**64). The same seed gives the same negatives on every backend.
    validate : {"later", "now"}
        When errors of a call on a CUDA device are raised. "later": as soon as they are known
        without waiting for the device, see :meth:`Sampler.sample`. "now": in the call itself, for
        debugging. On the CPU a call always raises its own errors.

    Raises
    ------
    ConfigError
        If a parameter is out of its range, the catalogue is empty, `interactions` contain an id
        outside it, or the backend is unknown.

    Notes
    -----
    A draw turns 64 random bits into an integer below ``|A(r)|`` and skips the sorted excluded ids
    by bisection: O(log E) for E exclusions. Nothing is rejected, so no row can stall.

    References
    ----------
    Chen et al., "Generating Negative Samples for Sequential Recommendation", section 2.2; Rendle
    et al., "BPR", UAI 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from negsamp import Uniform
    >>> sampler = Uniform(items=range(1, 6), num_negatives=4, replacement=False, seed=7)
    >>> negatives = sampler.sample(np.array([2, 5]))
    >>> np.sort(negatives.item_ids)
    array([[1, 3, 4, 5],
           [1, 2, 3, 4]])
    >>> np.exp(negatives.log_q[0])
    array([0.25, 0.25, 0.25, 0.25], dtype=float32)
    """

    def __init__(
        self,
        items: range | SupportsIndex,
        num_negatives: int = 1,
        *,
        interactions: Interactions | None = None,
        replacement: bool = True,
        backend: str = "auto",
        seed: int = 0,
        validate: Literal["later", "now"] = "later",
    ) -> None:
        super().__init__(
            Catalogue(as_catalogue(items), interactions),
            num_negatives=num_negatives,
            replacement=replacement,
            backend=backend,
            seed=seed,
            validate=validate,
        )

    def _draw(self, backend: Backend, rows: Any, stream: Stream, score: Scorer | None) -> Negatives:
        return backend.by_weight(rows, stream, self._num_negatives, self._replacement)

    def _log_weights(self, *_: Any) -> Any:
        return np.zeros((1, len(self.items)))
