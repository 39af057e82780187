"""Hard negatives drawn by the model's own scores: GenNi."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Literal, SupportsIndex

import numpy as np

from negsamp.backend import Backend, Candidates, Catalogue
from negsamp.errors import ConfigError, InvalidInputError
from negsamp.interactions import Interactions
from negsamp.negatives import Negatives
from negsamp.preselection import Risk
from negsamp.progress import as_schedule
from negsamp.sampler import Sampler
from negsamp.schedules import Constant, Schedule
from negsamp.scores import DotProduct, Scorer
from negsamp.stream import Stream
from negsamp.validation import as_catalogue, callable_per_row, check_returned, check_score
from negsamp.warning import warn_caller

__all__ = ["LEAST_ALPHA", "GenNi"]

LEAST_ALPHA = 2.0**-121
"""The least alpha that counts; a smaller one is 0.

Kernels may subtract the highest score in float32. A difference that overflows is at least
2**128 - 2**103, so from this alpha on it has a weight below exp(-127), which float32 rounds to 0.
"""

MOST_ALPHA = 1e38
"""Largest alpha: kernels multiply by alpha / ln 2, which must not overflow float32."""

WARN_ABOVE = 1e-6
"""Warn if a row has nothing to draw with a higher probability: a run draws for millions of rows."""


class GenNi(Sampler):
    """Draw each admissible item in proportion to exp(alpha * score).

    The admissible items A(r) of row r are the catalogue without the row's target, the items of
    its user and its exclusions. ``Q(i | r) = exp(alpha s(r, i)) / Z(r)`` for i in A(r), with Z(r)
    the sum over A(r). With beta < 1 both are restricted to V', a uniformly random subset of
    ceil(beta * V) of the catalogue's V items, and log_q is conditional on V'.

    Parameters
    ----------
    items : range or int
        The catalogue: a contiguous range of ids, or n for range(n).
    num_negatives : int
        Number of negatives per target, >= 1.
    alpha : float or Schedule
        Hardness, the factor of the scores, in [0, 1e38]. At 0 GenNi is :class:`Uniform`, draw for
        draw and at its cost: it reads no scores and selects no subset. An alpha below 2**-121
        (4e-37), set or reached by a schedule, counts as 0.
    beta : float or Schedule
        Fraction of the catalogue to pre-select, in (0, 1]; the cost is proportional to it. Keep
        beta * V well above the number of items that a row excludes: a single row whose candidates
        are all excluded fails the whole call.
    interactions : Interactions, optional
        Excludes from each row all items that its user has interacted with.
    candidates : {"batch", "query"}
        Whether the rows of a call share one subset V', or each has its own, as in the paper's
        algorithm 1. "batch" gathers embeddings once; "query" gathers them for each row and is far
        slower. While beta < 1, "query" needs a :class:`DotProduct`, since a callable scores the
        same items for all rows.
    replacement : bool
        Whether an item may repeat among the negatives of a row. If not, they are drawn one after
        another, each from the remaining items, and log_q is the law of the first draw.
    backend : str
        "auto", or a name from :func:`available_backends`. "auto" stands for the environment
        variable NEGSAMP_BACKEND if it is set, else for the backend of the call's arrays: "numba",
        where it is installed, for NumPy arrays and for PyTorch tensors on the CPU.
    seed : int
        In [0, 2**64). The same seed gives the same negatives on every backend, except where
        float32 rounding decides between two items (fewer than 1 draw in 10,000).
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
    Two-level inversion: a first pass scores the items tile by tile and sums the exponentials over
    blocks of 128 items. One random word picks a block in proportion to the sums, its scores are
    computed again, and a second word picks the item. The cost is the matrix product and one
    exponential per score, whatever `num_negatives` is.

    Rows are processed in chunks, so memory is bounded by a tile of scores and the block sums of a
    chunk. A callable scores all rows at once, so the block sums of all rows are kept: 8 bytes per
    row and block, 64 MB for 1,000 rows and a million items. It is called once for each tile, and
    again for the blocks drawn from, at most once more per item. Without replacement each draw
    depends on those before it, and calls it again for its own blocks.

    References
    ----------
    Chen et al., "Generating Negative Samples for Sequential Recommendation": eq. 5 (beta = 1,
    normalised), eq. 6 (beta < 1), algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from negsamp import DotProduct, GenNi
    >>> queries, embeddings = np.array([[1.0, 0.0]]), np.array([[0, 0], [1, 9], [2, 9], [3, 9.0]])
    >>> sampler = GenNi(items=range(1, 4), alpha=np.log(2))
    >>> sampler.probabilities(np.array([3]), score=DotProduct(queries, embeddings)).round(3)
    array([[0.333, 0.667, 0.   ]])
    >>> sampler.sample(np.array([3]), score=DotProduct(queries, embeddings)).item_ids.shape
    (1, 1)
    """

    _uses_scores = True

    def __init__(
        self,
        items: range | SupportsIndex,
        num_negatives: int = 1,
        *,
        alpha: float | Schedule = 1.0,
        beta: float | Schedule = 1.0,
        interactions: Interactions | None = None,
        candidates: Literal["batch", "query"] = "batch",
        replacement: bool = True,
        backend: str = "auto",
        seed: int = 0,
        validate: Literal["later", "now"] = "later",
    ) -> None:
        if candidates not in ("batch", "query"):
            raise ConfigError(f"candidates must be 'batch' or 'query'; got {candidates!r}")
        super().__init__(
            Catalogue(as_catalogue(items), interactions),
            num_negatives=num_negatives,
            replacement=replacement,
            backend=backend,
            seed=seed,
            validate=validate,
            schedules={
                "alpha": as_schedule("alpha", alpha, 0.0, MOST_ALPHA, open_low=False),
                "beta": as_schedule("beta", beta, 0.0, 1.0, open_low=True),
            },
        )
        self._per_row = candidates == "query"
        self._warned = False
        self._warn_of_few_candidates()

    @property
    def alpha(self) -> float:
        """The current factor of the scores."""
        value = self._progress.values["alpha"]
        return value if value >= LEAST_ALPHA else 0.0

    @property
    def beta(self) -> float:
        """The fraction of the catalogue that is currently pre-selected."""
        return self._progress.values["beta"]

    @property
    def _own_arguments(self) -> dict[str, Any]:
        candidates = {"candidates": "query"} if self._per_row else {}
        return {**self._progress.schedules, **candidates}

    @property
    def candidates(self) -> Candidates:
        """How many items are currently pre-selected, and whether for each row.

        The number is ``ceil(beta * V)``, with beta taken as the decimal it prints as.
        """
        count = math.ceil(Fraction(repr(self.beta)) * len(self.items))
        return Candidates(count, self._per_row)

    @property
    def _preselection(self) -> Candidates | None:
        """The candidates, or None if they are the whole catalogue."""
        return self.candidates if self.candidates.count < len(self.items) else None

    def _warn_of_few_candidates(self) -> None:
        """Warn if the initial beta is likely to leave a row nothing to draw."""
        if self._progress.schedules["alpha"].bounds[1] < LEAST_ALPHA:  # beta has no effect
            return
        known = self._catalogue.interactions
        longest = 0 if known is None else known.lengths.max(initial=0)
        risk = Risk(
            num_items=len(self.items),
            num_excluded=min(int(longest) + 1, len(self.items)),
            num_candidates=self.candidates.count,
            num_wanted=1 if self.replacement else self.num_negatives,
        )
        if self._preselection is not None and risk.chance > WARN_ABOVE:
            is_start = not isinstance(self._progress.schedules["beta"], Constant)
            warn_caller(risk.message(self.beta, per_row=self._per_row, is_start=is_start))

    def _warn_of_unread_scores(self, score: Scorer | None) -> None:
        """Warn once if a schedule has lowered alpha to 0, where a callable may exclude by -inf.

        Not of one that starts there: who asks for 0, constant or at first, asks for uniform draws.
        """
        lowered = self._progress.schedules["alpha"].start() >= LEAST_ALPHA
        if lowered and not (self._warned or isinstance(score, DotProduct)):
            self._warned = True
            warn_caller(
                "alpha is 0 and no score is read: items whose score is -inf may be drawn. If they "
                "must not, give the schedule a lower end above 0, as in LossDriven(low=0.1)"
            )

    @property
    def _law(self) -> dict[str, Any]:
        return super()._law | {"candidates": "query" if self._per_row else "batch"}

    def _check_score(self, score: Any, targets: Any) -> None:
        if score is None:
            raise InvalidInputError(
                "GenNi needs score=: a DotProduct(queries, item_embeddings), or a callable of "
                "item ids"
            )
        check_score(score, targets, self.items)

    def _draw(self, backend: Backend, rows: Any, stream: Stream, score: Scorer | None) -> Negatives:
        if self.alpha == 0 and not self._is_collective(score):
            self._warn_of_unread_scores(score)
            return backend.by_weight(rows, stream, self._num_negatives, self._replacement)
        assert score is not None  # _check_score
        return backend.by_score(
            rows,
            stream,
            self._num_negatives,
            self._replacement,
            score,
            self.alpha,
            self._preselection,
        )

    def _log_weights(
        self,
        backend: Backend,
        rows: Any,
        stream: Stream,
        score: Scorer | None,
        targets: Any,
        kept: Any,
    ) -> Any:
        if self._is_collective(score):
            score.agree(
                rows,
                stream,
                self._num_negatives,
                self._replacement,
                self.alpha,
                self.items,
                self._preselection,
            )
        if self.alpha == 0:
            return np.zeros((1, len(self.items)))
        assert score is not None  # _check_score
        log_weights = self.alpha * self._scores_of_all(backend, score, targets, kept.size)
        if (candidates := self._preselection) is None:
            return log_weights
        positions = backend.to_numpy(backend.candidates(rows, stream, candidates))
        chosen = np.zeros(log_weights.shape, dtype=bool)
        chosen[np.flatnonzero(kept)[:, None], positions] = True
        return np.where(chosen, log_weights, -np.inf)

    def _scores_of_all(self, backend: Backend, score: Scorer, targets: Any, num_rows: int) -> Any:
        """Return the scores of all items, float64 (num_rows, len(items))."""
        ids = np.arange(self.items.start, self.items.stop)
        if isinstance(score, DotProduct):
            arrays = (backend.asarray(each, like=targets) for each in (score.queries, score.items))
            with np.errstate(invalid="ignore"):  # laws.exact raises for NaN
                return DotProduct(*(_rounded(backend.to_numpy(each)) for each in arrays))(ids)
        collective = self._is_collective(score)  # agree() has checked its candidates
        if self._per_row and self._preselection is not None and not collective:
            raise callable_per_row()
        returned = score(backend.asarray(ids, like=targets))
        check_returned(returned, num_rows, len(ids))
        return _rounded(backend.to_numpy(returned))


def _rounded(numbers: Any) -> Any:
    """Round numbers to float32, which draws read, for arithmetic in float64."""
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32).astype(np.float64)
