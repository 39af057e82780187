"""Scores by a callable on each rank, for models whose items are spread over ranks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from negsamp import validation
from negsamp.errors import InvalidInputError
from negsamp.scores import Scorer
from negsamp_torch.rows import Rows
from negsamp_torch.sharded.collective import Collective, bounds_of, check_ids
from negsamp_torch.sharded.exchange import Exchange

__all__ = ["ShardedScorer"]


@dataclass(eq=False)
class ShardedScorer(Collective):
    """Score with a callable on each rank that knows only the items of this rank.

    Pass it as ``score=`` to :class:`negsamp.GenNi` on all ranks of a process group at once, with
    the same rows and samplers of the same seed. Up to the rounding of scores, each rank gets the
    negatives that one device would draw with one callable for the whole catalogue.

    Parameters
    ----------
    score : Scorer
        ``score(item_ids: (M,)) -> (targets.size, M)`` for ids of this rank: one row per target, for
        all targets, as on one device. It must not take part in collectives, since ranks call it
        different numbers of times.
    item_ids : range
        The ids that this rank can score, without gaps; no rank is asked for other ids. The ranges
        of ranks 0, 1, ... follow each other and contain the whole catalogue; they may be empty.
    group : ProcessGroup, optional
        The ranks; by default the default group.

    Attributes
    ----------
    bytes_received : int
        Bytes that this rank received in collectives, over all calls of ``sample`` so far. With N
        rows, k negatives and W ranks, a call receives (W - 1) (24 N + 176) + 16 N k, and without
        replacement (W - 1) 24 N for each further negative: see :class:`ShardedDotProduct`.

    Raises
    ------
    InvalidInputError
        If `score` cannot be called or `item_ids` is not a range without gaps. In a call, on all
        ranks: if the ranges leave a gap, overlap or do not contain the catalogue; if the ranks
        differ in seed, call, alpha, beta, rows or catalogue; if arguments do not fit on one rank;
        if a callable raises (its own error on its rank); or with ``candidates="query"`` while
        beta < 1, as with any callable. On one rank only: if the group cannot send tensors from the
        device of the targets. For a rank that dies see :class:`ShardedDotProduct`.

    Notes
    -----
    Rows cannot be split as in a :class:`ShardedDotProduct`: all ranks contribute to the scores of
    a row, and a callable, unlike a query, cannot be sent to them. Ranks with rows of their own
    gather what the callable needs for all rows, sample for all, and keep their part.

    The callable is called once for each tile of its ids, and again for each block that is drawn
    from: once for all negatives with replacement, once for each negative without.
    """

    score: Scorer
    item_ids: range
    group: Any = None
    bytes_received: int = field(default=0, init=False)

    split = False
    takes_own_candidates = False

    def __post_init__(self) -> None:
        if not callable(self.score):
            raise InvalidInputError(
                f"score must be a callable of item ids; got {type(self.score).__name__}"
            )
        check_ids(self.item_ids)

    def __call__(self, item_ids: Tensor) -> Tensor:
        """Return the scores of `item_ids` for all rows, summed over ranks."""
        exchange = Exchange.over(self.process_group, item_ids.device)
        self.bounds(exchange, range(int(item_ids[0]), int(item_ids[-1]) + 1))
        own = (item_ids >= self.item_ids.start) & (item_ids < self.item_ids.stop)
        scores, failure = None, None
        try:
            if bool(own.any()):
                returned = self.score(item_ids[own])
                validation.check_returned(returned, None, int(own.sum()))
                returned = torch.as_tensor(validation.as_native(returned)).detach().float()
                scores = returned.new_zeros((len(returned), len(item_ids)))
                scores[:, own] = returned
        except Exception as error:  # noqa: BLE001  (raised once the other ranks are told)
            failure = error
        exchange.raise_on_all(failure)
        sent = exchange.gather_numbers(-1 if scores is None else len(scores))
        rows = sorted({number for (number,) in sent if number != -1})
        if len(rows) > 1:
            raise InvalidInputError(
                f"the callables of the ranks returned different numbers of rows: {rows}"
            )
        if scores is None:
            shape, device = (rows[0], len(item_ids)), item_ids.device
            scores = torch.zeros(shape, dtype=torch.float32, device=device)
        return exchange.sum(scores)

    def queries_of(self, rows: Rows) -> Tensor:
        """Return empty queries, (rows, 0): only the callable knows queries."""
        return torch.zeros((len(rows), 0), dtype=torch.float32, device=rows.numbers.device)

    def bounds(self, exchange: Exchange, catalogue: range) -> list[int]:
        """Return the first id of each rank, and the end of the last rank's ids."""
        sent = exchange.gather_numbers(self.item_ids.start, self.item_ids.stop)
        return bounds_of([range(*each) for each in sent], catalogue)
