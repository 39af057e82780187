"""The interface between samplers and backends: a backend knows it, but no sampler or schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from negsamp.interactions import Interactions
from negsamp.negatives import Negatives
from negsamp.scores import Scorer
from negsamp.stream import Stream

__all__ = ["Backend", "Candidates", "Catalogue"]


@dataclass(frozen=True, eq=False)
class Catalogue:
    """What a backend needs to know of a sampler before the first call.

    Attributes
    ----------
    items : range
        The ids, contiguous; the item at position p has id ``items[p]``.
    interactions : Interactions or None
        The items that each user has interacted with, all in `items`.
    cumulative : int64, shape (len(items) + 1,), or None
        Sums of the integer weights of the items before each position, from 0 to the total, which
        is below 2**63. None if every item has weight 1.
    """

    items: range
    interactions: Interactions | None = None
    cumulative: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Candidates:
    """How many distinct items are pre-selected, uniformly, before scores are computed.

    Attributes
    ----------
    count : int
        Size of the subset.
    per_row : bool
        Whether each row has its own subset, or all rows of a call share one.
    """

    count: int
    per_row: bool


class Backend(Protocol):
    """What a backend provides. `Any` stands for the array type of its framework.

    ``backend="auto"`` picks the backend that is named like the package which defines an array's
    type. If the names differ, an entry point in the group ``negsamp.arrays`` maps the package to
    the backend, as in ``jaxlib = "jax"``; no import is needed to find out.

    ``rows`` is the only method that reads ids and users, and it raises if they are invalid. Its
    result is opaque to the sampler, which passes it to the methods that take `rows`.
    """

    def __init__(self, catalogue: Catalogue) -> None: ...

    @staticmethod
    def report() -> Mapping[str, str]:
        """Return details of the framework to show: at least ``version`` and ``devices``."""
        ...

    def asarray(self, values: Any, like: Any = None) -> Any:
        """Return `values` as the framework's array, on the device of `like` if given.

        Raises
        ------
        InvalidInputError
            If no array can be made of `values`, or it is one of another framework.
        """
        ...

    def to_numpy(self, array: Any) -> npt.NDArray[Any]:
        """Convert an array of the framework to NumPy."""
        ...

    def rows(self, targets: Any, users: Any, mask: Any, exclude: Any) -> Any:
        """Check ids and users, and gather what each row to be sampled excludes.

        Shapes and dtypes are already checked. `users` is None if there are no interactions.

        Raises
        ------
        InvalidInputError
            If an unmasked target or an excluded id is outside the catalogue, or a user unknown.
        """
        ...

    def check(self, wait: bool) -> None:
        """Raise the deferred errors of earlier calls.

        On an asynchronous device a backend may defer errors in ids and users, and those of
        ``by_weight`` and ``by_score``, to here. A backend whose calls raise their own errors does
        nothing.

        Parameters
        ----------
        wait : bool
            True: synchronise, so that all calls are checked. False: do not wait.
        """
        ...

    def candidates(self, rows: Any, stream: Stream, candidates: Candidates) -> Any:
        """Return the pre-selected positions, ascending: int64 (count,) or (sampled rows, count)."""
        ...

    def by_weight(
        self, rows: Any, stream: Stream, num_negatives: int, replacement: bool
    ) -> Negatives:
        """Draw each admissible item with probability proportional to its weight.

        Returns
        -------
        Negatives
            For all targets, masked ones included; draw j of row r takes the stream's words for
            NEGATIVES of number ``r * num_negatives + j``.

        Raises
        ------
        NoNegativesError
            If a row has no admissible item of positive weight, or too few without replacement.
        """
        ...

    def by_score(
        self,
        rows: Any,
        stream: Stream,
        num_negatives: int,
        replacement: bool,
        score: Scorer,
        alpha: float,
        candidates: Candidates | None,
    ) -> Negatives:
        """Draw each admissible (pre-selected) item with probability proportional to exp(alpha s).

        Parameters
        ----------
        rows, stream, num_negatives, replacement
            As in ``by_weight``.
        score : Scorer
            A DotProduct, whose arrays may still be of NumPy, or another callable.
        alpha : float
            > 0, unless several processes sample together.
        candidates : Candidates or None
            None if all items are candidates. A callable cannot score candidates of each row.

        Returns
        -------
        Negatives
            As in ``by_weight``, with the same words.

        Raises
        ------
        NoNegativesError
            If a row has no admissible item with a score above -inf, or without replacement too few.
        InvalidScoresError
            If the score of an admissible item is NaN or +inf.
        """
        ...
