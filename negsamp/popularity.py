"""Negatives in proportion to popularity."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, SupportsIndex

import numpy as np
import numpy.typing as npt

from negsamp.backend import Backend, Catalogue
from negsamp.digest import digest_of
from negsamp.errors import ConfigError
from negsamp.interactions import Interactions
from negsamp.negatives import Negatives
from negsamp.sampler import Sampler
from negsamp.scores import Scorer
from negsamp.stream import Stream
from negsamp.validation import as_catalogue, as_number

__all__ = ["Popularity"]

_TOTAL_WEIGHT = 2.0**62
"""Sum of the integer weights, up to rounding, so that cumulative sums stay below int64's 2**63."""


class Popularity(Sampler):
    """Draw each admissible item in proportion to a power of its count.

    The admissible items A(r) of row r are the catalogue without the row's target, the items of
    its user and its exclusions. ``Q(i | r) = counts[i] ** gamma / Z(r)`` for i in A(r), with Z(r)
    the sum over A(r). An item with count 0 is never drawn, whatever gamma; gamma = 0 is uniform
    over the items with a positive count.

    Parameters
    ----------
    counts : array_like of float or int, shape (num_counts,)
        ``counts[id]`` is how often item `id` occurs, as in ``np.bincount(ids)``; >= 0, finite, not
        all zero over `items`. Read by position: the index of a pandas Series is ignored.
    gamma : float
        The power, word2vec's 0.75 by default. Below 0 it favours rare items. (RecBole calls it
        alpha.)
    items : range or int, optional
        The catalogue, by default range(len(counts)).
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
        If counts are negative, not finite, not one-dimensional, too few for `items` or all zero,
        or another parameter is out of its range.

    Notes
    -----
    Weights are rounded to integers that sum to about 2**62, and to at least 1 for a positive
    count, so that every backend draws in exact integer arithmetic. Rounding changes a probability
    by less than one part in 10**13, plus 2**-62. If the excluded items of a row hold nearly all of
    the weight, the others share few of the 62 bits: items that a steep power reduces to 2**-62 of
    the total are then equally likely. The last digits of a power differ between processors, which
    changes fewer than one draw in 10**9. A draw skips the sorted excluded ids and searches the
    cumulative weights: O(log E + log V), with no rejection.

    References
    ----------
    Chen et al., "Generating Negative Samples for Sequential Recommendation", appendix E; Mikolov
    et al., "Distributed representations of words and phrases", 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from negsamp import Popularity
    >>> sampler = Popularity(counts=[0, 1, 1, 2, 0], gamma=1.0)
    >>> sampler.probabilities(np.array([1]))
    array([[0.        , 0.        , 0.33333333, 0.66666667, 0.        ]])
    """

    def __init__(
        self,
        counts: npt.ArrayLike,
        gamma: float = 0.75,
        items: range | SupportsIndex | None = None,
        num_negatives: int = 1,
        *,
        interactions: Interactions | None = None,
        replacement: bool = True,
        backend: str = "auto",
        seed: int = 0,
        validate: Literal["later", "now"] = "later",
    ) -> None:
        array = _as_counts(counts)
        catalogue = as_catalogue(len(array) if items is None else items)
        if len(array) < catalogue.stop:
            raise ConfigError(
                f"{len(array)} counts do not cover {catalogue}: counts[id] is the count of item "
                f"id, so at least {catalogue.stop} are needed"
            )
        self._gamma = as_number("gamma", gamma)
        self._counts = array[catalogue.start : catalogue.stop].copy()
        weights = _integer_weights(self._counts, self._gamma)
        super().__init__(
            Catalogue(catalogue, interactions, np.concatenate([[0], np.cumsum(weights)])),
            num_negatives=num_negatives,
            replacement=replacement,
            backend=backend,
            seed=seed,
            validate=validate,
        )

    @property
    def gamma(self) -> float:
        """The power to which counts are raised."""
        return self._gamma

    @property
    def _own_arguments(self) -> dict[str, Any]:
        return {"gamma": self._gamma}

    @property
    def _law(self) -> dict[str, Any]:
        return super()._law | {"gamma": self._gamma, "counts": self._digest}

    @cached_property
    def _digest(self) -> str:
        """A fingerprint of the counts: the last digits of a power depend on the machine."""
        return digest_of(self._counts.astype("<f8"))

    def _draw(self, backend: Backend, rows: Any, stream: Stream, score: Scorer | None) -> Negatives:
        return backend.by_weight(rows, stream, self._num_negatives, self._replacement)

    def _log_weights(self, *_: Any) -> Any:
        assert self._catalogue.cumulative is not None  # __init__
        weights = np.diff(self._catalogue.cumulative)
        with np.errstate(divide="ignore"):
            return np.log(weights.astype(np.float64))[None, :]


def _as_counts(counts: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return counts as float64, or raise ConfigError."""
    if isinstance(counts, Mapping):
        raise ConfigError(
            f"counts must be one number per item id; got a {type(counts).__name__}: count with "
            "np.bincount(item_ids), or fill an array by id"
        )
    try:
        array = np.asarray(counts, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise ConfigError(f"counts must be numbers, one per item id: {error}") from None
    if array.ndim != 1 or array.size == 0:
        hint = "; flatten it with np.ravel" if max(array.shape, default=0) == array.size > 1 else ""
        raise ConfigError(
            f"counts must be one number per item id, shape (num_counts,); got shape {array.shape}"
            f"{hint}"
        )
    wrong = ~(np.isfinite(array) & (array >= 0))
    if wrong.any():
        place = int(wrong.argmax())
        raise ConfigError(f"counts must be finite and >= 0; got counts[{place}] = {array[place]}")
    return array


def _integer_weights(counts: npt.NDArray[np.float64], gamma: float) -> npt.NDArray[np.int64]:
    """Return ``counts ** gamma``, scaled to a sum near 2**62 and rounded; 0 stays 0."""
    drawn = counts > 0
    if not drawn.any():
        raise ConfigError("all counts of the catalogue are 0: no item could ever be drawn")
    with np.errstate(over="ignore"):
        log_weights = gamma * np.log(counts[drawn])
    if not np.isfinite(log_weights).all():
        raise ConfigError(f"counts ** gamma overflows float64; got gamma = {gamma:g}")
    shares = np.exp(log_weights - log_weights.max())
    weights = np.zeros(len(counts), dtype=np.int64)
    weights[drawn] = np.maximum(np.rint(shares * (_TOTAL_WEIGHT / shares.sum())), 1.0)
    return weights
