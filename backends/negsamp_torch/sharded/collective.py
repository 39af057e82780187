"""The base class of scores that all ranks of a process group sample with together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, NoReturn

import torch
from torch import Tensor

from negsamp import validation
from negsamp.backend import Candidates
from negsamp.errors import InvalidInputError
from negsamp.stream import Stream
from negsamp_torch.request import Request
from negsamp_torch.rows import Rows
from negsamp_torch.sharded.agreement import abort, agree
from negsamp_torch.sharded.exchange import Exchange

__all__ = ["Collective", "bounds_of", "check_ids"]


class Collective(ABC):
    """A score over a process group; a call begins with :meth:`agree` on all ranks."""

    backend = "torch"
    collective = True
    takes_own_candidates = True
    """Whether rows may each have candidates of their own."""

    group: Any
    split: bool
    bytes_received: int

    @property
    def process_group(self) -> Any:
        """The ranks; None is the default group."""
        return self.group

    @property
    def dtypes(self) -> tuple[torch.dtype | None, torch.dtype | None]:
        """Dtypes of queries and items; None if there are none."""
        return None, None

    @abstractmethod
    def queries_of(self, rows: Rows) -> Tensor:
        """Check the queries, and return those of the sampled rows, (len(rows), dim)."""

    @abstractmethod
    def bounds(self, exchange: Exchange, catalogue: range) -> list[int]:
        """Return the first id of each rank, and the end of the last rank's ids."""

    def agree(
        self,
        request: Request,
        stream: Stream,
        num_negatives: int,
        replacement: bool,
        alpha: float,
        items: range,
        candidates: Candidates | None,
    ) -> tuple[Exchange, Rows, Tensor, list[int]]:
        """Raise on all ranks unless all make the same call; return rows, queries and bounds."""
        exchange = Exchange.over(self.process_group, request.device)
        try:
            rows = request.rows
            queries = self.queries_of(rows)
        except Exception as error:  # noqa: BLE001  (raised once the other ranks are told)
            abort(exchange, error)
        agree(
            exchange,
            rows,
            queries,
            stream,
            num_negatives,
            replacement,
            alpha,
            items,
            candidates,
            self.split,
            self.dtypes,
        )
        own = candidates is not None and candidates.per_row
        if alpha and own and not self.takes_own_candidates:
            raise validation.callable_per_row()
        return exchange, rows, queries, self.bounds(exchange, items)

    def abort(self, error: Exception, targets: Any) -> NoReturn:
        """Raise an error that precedes this rank's :meth:`agree`, where all others raise too."""
        given = getattr(self, "queries", targets)
        device = given.device if isinstance(given, Tensor) else torch.device("cpu")
        abort(Exchange.over(self.process_group, device), error)


def check_ids(item_ids: Any) -> None:
    """Raise unless the ids of a rank are a contiguous range."""
    if not isinstance(item_ids, range) or item_ids.step != 1:
        raise InvalidInputError(
            f"item_ids must be a range of step 1, the ids of this rank; got {item_ids!r}"
        )


def bounds_of(held: Iterable[range], catalogue: range) -> list[int]:
    """Return the first id of each rank, and the end of the last, given the range of each."""
    held = list(held)
    bounds = [next((each.start for each in held if each), catalogue.start)]
    for each in held:
        if each and each.start != bounds[-1]:
            break
        bounds.append(each.stop if each else bounds[-1])
    else:
        if bounds[0] <= catalogue.start and bounds[-1] >= catalogue.stop:
            return bounds
    raise InvalidInputError(
        f"item_ids of the ranks are {', '.join(map(str, held))}: they must follow each other "
        f"and contain the catalogue, {catalogue}"
    )
