"""The score of users whose model is no dot product and has its items on several ranks."""

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
    """A callable on each rank that scores the items of this rank alone.

    Give it as ``score=`` to :class:`negsamp.GenNi` on all ranks of a process group at once, with
    the same rows and samplers of the same seed, and, up to the rounding of scores, each rank gets
    the negatives that one device would draw with one callable for the whole catalogue.

    Parameters
    ----------
    score : Scorer
        ``score(item_ids: (M,)) -> (targets.size, M)``, for ids of this rank: one line a target,
        of all targets, as with one device. How often it is asked differs between ranks, so it must
        not take part in collectives.
    item_ids : range
        The ids that this rank can score, without gaps. The ranges of ranks 0, 1, ... follow each
        other, hold the whole catalogue and may be empty. No rank is asked for an id of another.
    group : ProcessGroup, optional
        The ranks; by default the default group.

    Attributes
    ----------
    bytes_received : int
        What collectives brought this rank in all calls of ``sample`` so far. A call brings, with N
        rows, k negatives and W ranks, (W - 1) (24 N + 176) bytes and 16 N k more, and, without
        replacement, (W - 1) 24 N for each further negative: see :class:`ShardedDotProduct`.

    Raises
    ------
    InvalidInputError
        If `score` cannot be called or `item_ids` is not a range without gaps. In a call, on all
        ranks: if the ranges leave a gap, overlap or do not hold the catalogue, if the ranks differ
        in seed, call, alpha, beta, rows or catalogue, if arguments do not fit on one, if a callable
        raises (its own error on its rank), or with ``candidates="query"`` while beta < 1, as with
        any callable. Where the group cannot send tensors of the device of the targets, on that rank
        alone. For a rank that dies see :class:`ShardedDotProduct`.

    Notes
    -----
    Rows cannot be split, as those of a :class:`ShardedDotProduct` can: the scores of a row come
    from all ranks, and a callable cannot be sent to them as a query can. Ranks with rows of their
    own gather what the callable needs of all rows, sample for all, and keep their part.

    The callable is asked for each tile of its ids once, and once more for each block that is drawn
    from: with replacement once for all negatives, without it again for each.
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
                answer = self.score(item_ids[own])
                validation.check_answer(answer, None, int(own.sum()))
                answer = torch.as_tensor(validation.as_native(answer)).detach().float()
                scores = answer.new_zeros((len(answer), len(item_ids)))
                scores[:, own] = answer
        except Exception as error:  # noqa: BLE001  (raised when the other ranks know of it)
            failure = error
        exchange.raise_on_all(failure)
        told = exchange.gather_numbers(-1 if scores is None else len(scores))
        rows = sorted({number for (number,) in told if number != -1})
        if len(rows) > 1:
            raise InvalidInputError(f"the callables of the ranks returned scores of {rows} rows")
        if scores is None:
            shape, device = (rows[0], len(item_ids)), item_ids.device
            scores = torch.zeros(shape, dtype=torch.float32, device=device)
        return exchange.sum(scores)

    def queries_of(self, rows: Rows) -> Tensor:
        """Return none: the callable knows them."""
        return torch.zeros((len(rows), 0), dtype=torch.float32, device=rows.numbers.device)

    def bounds(self, exchange: Exchange, catalogue: range) -> list[int]:
        """Return where the ids of ranks 0, 1, ... begin, and where the last end."""
        told = exchange.gather_numbers(self.item_ids.start, self.item_ids.stop)
        return bounds_of([range(*each) for each in told], catalogue)
