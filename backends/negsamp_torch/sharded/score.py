"""The scores that users write for a catalogue that lies on several ranks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from negsamp.errors import InvalidInputError
from negsamp.scores import Scorer
from negsamp.validation import as_count
from negsamp_torch.sharded.exchange import Exchange

__all__ = ["Sharded", "ShardedDotProduct", "ShardedScorer"]


class Sharded(ABC):
    """A score of which each rank knows a contiguous slice of the item ids.

    Attributes
    ----------
    backend, collective
        What the samplers look at: who draws, and that all ranks have to, whatever alpha.
    split : bool
        Whether each rank has rows of its own.
    dim : int
        Of the embeddings; 0 where there are none.
    bytes_received : int
        What collectives brought this rank in all calls so far.
    """

    backend = "torch"
    collective = True
    split: bool
    dim: int
    bytes_received: int

    @property
    @abstractmethod
    def process_group(self) -> Any:
        """The ranks; None is the default group."""

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of item ids that this rank scores."""

    @abstractmethod
    def own_scores(self, lines: Tensor, item_ids: Tensor) -> Tensor:
        """Return the scores, (rows, M), of this rank's item ids, given their lines in its slice."""

    def __call__(self, item_ids: Tensor) -> Tensor:
        """Return the scores of `item_ids` for all rows, summed over ranks; rows must be shared."""
        if self.split:
            raise InvalidInputError("probabilities over shards need the same rows on all ranks")
        exchange = Exchange(self.process_group)
        bounds = exchange.bounds(self.count, item_ids.device)
        first, last = bounds[exchange.rank], bounds[exchange.rank + 1]
        own = (item_ids >= first) & (item_ids < last)
        found = self.own_scores(item_ids[own] - first, item_ids[own]).float()
        scores = found.new_zeros((len(found), len(item_ids)))
        scores[:, own] = found
        return exchange.sum(scores)


@dataclass(eq=False)
class ShardedDotProduct(Sharded):
    """Dot products with item embeddings of which each rank holds a contiguous slice.

    Give it as ``score=`` to :class:`negsamp.GenNi` on all ranks of a process group at once, with
    samplers of the same seed, and, up to the rounding of scores, each rank gets the negatives that
    one device would draw from the whole table.

    Parameters
    ----------
    queries : Tensor, shape targets.shape + (dim,)
        One query a target.
    items : Tensor, shape (num_lines, dim), or DTensor
        This rank's lines of the table: the slices of ranks 0, 1, ... stand one after the other and
        make up the lines 0, 1, ..., which are the item ids. Slices may differ in length and be
        empty. Of a DTensor, that must be sharded on its first axis alone, the local part is taken.
    group : ProcessGroup, optional
        The ranks; by default that of the DTensor's mesh, else the default group.
    split : bool
        False: all ranks call with the same rows. True: each rank calls with rows of its own, as
        many as it has, and gets negatives for these, as if one device had been given the rows of
        ranks 0, 1, ... one after the other.

    Attributes
    ----------
    bytes_received : int
        What collectives brought this rank in all calls so far. A call brings, with N rows in all, k
        negatives and W ranks, (W - 1) (127 * 4 * dim + 16 N + 120) bytes and 16 N k more, and,
        without replacement, (W - 1) 16 N for each further negative; with ``candidates="query"``,
        127 * 4 * N in place of 127 * 4 * dim; where rows are split, also the queries and exclusions
        of the other ranks. That is O(N), whatever the catalogue and the number of candidates.

    Raises
    ------
    InvalidInputError
        On all ranks, if the ranks differ in seed, call, alpha, beta, rows or catalogue, or if
        lines are missing. A rank that dies or raises before it has called makes the others fail
        when the group's timeout is over.

    Notes
    -----
    At alpha = 0 no score is looked at, and the draws are those of :class:`negsamp.Uniform` on one
    device.
    """

    queries: Any
    items: Any
    group: Any = None
    split: bool = False
    bytes_received: int = field(default=0, init=False)

    def own_scores(self, lines: Tensor, item_ids: Tensor) -> Tensor:
        """Multiply."""
        queries = self.queries.reshape(-1, self.dim).float()
        return torch.as_tensor(queries @ self.local_items[lines].float().T)

    @property
    def local_items(self) -> Tensor:
        """The lines of this rank."""
        items: Tensor = self.items.to_local() if hasattr(self.items, "to_local") else self.items
        return items.detach()

    @property
    def dim(self) -> int:  # type: ignore[override]
        """Of the embeddings."""
        return int(self.queries.shape[-1])

    @property
    def count(self) -> int:
        """Number of lines."""
        return len(self.local_items)

    @property
    def process_group(self) -> Any:
        """The ranks; None is the default group."""
        if self.group is None and hasattr(self.items, "device_mesh"):
            return self.items.device_mesh.get_group()
        return self.group


@dataclass(eq=False)
class ShardedScorer(Sharded):
    """Scores by a model of any kind, of which each rank can score a contiguous slice of the items.

    Give it as ``score=`` to :class:`negsamp.GenNi` on all ranks of a process group at once, with
    samplers of the same seed and the same rows, and each rank gets the negatives that one device
    would draw with a callable that knows all items.

    Parameters
    ----------
    score : callable
        As for one device: given M item ids, the scores (targets.size, M), rows in C order. It is
        asked for ids of this rank's slice alone.
    num_items : int
        How many ids this rank scores: rank 0 the ids 0 to num_items - 1, rank 1 as many as it says
        from there on, and so on. May be 0.
    group : ProcessGroup, optional
        The ranks; by default the default group.

    Attributes
    ----------
    bytes_received : int
        What collectives brought this rank in all calls so far. A call brings, with N rows, k
        negatives and W ranks, (W - 1) (127 * 4 * N + 16 N + 120) bytes and 16 N k more, and,
        without replacement, (W - 1) 16 N for each further negative. That is O(N), whatever the
        catalogue.

    Raises
    ------
    ConfigError
        If `num_items` is not an integer of at least 0.
    InvalidInputError
        If `score` is no callable; on all ranks, as by :class:`ShardedDotProduct`; and if an answer
        has another shape, on that rank, while the others fail when the group's timeout is over.

    Notes
    -----
    The rows are the same on all ranks, for no rank can score the queries of another. Candidates are
    those of the batch: a callable scores the same items for all rows.
    """

    score: Scorer
    num_items: int
    group: Any = None
    bytes_received: int = field(default=0, init=False)

    split = False
    dim = 0

    def __post_init__(self) -> None:
        if not callable(self.score):
            raise InvalidInputError(
                f"score must be a callable of item ids; got {type(self.score).__name__}"
            )
        self.num_items = as_count("num_items", self.num_items, low=0)

    def own_scores(self, lines: Tensor, item_ids: Tensor) -> Tensor:
        """Ask."""
        return torch.as_tensor(self.score(item_ids)).detach()

    @property
    def count(self) -> int:
        """Number of item ids."""
        return self.num_items

    @property
    def process_group(self) -> Any:
        """The ranks."""
        return self.group
