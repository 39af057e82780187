"""The score of users whose item table lies on several ranks."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from torch import Tensor

from negsamp import validation
from negsamp.errors import InvalidInputError
from negsamp_torch.rows import Rows
from negsamp_torch.scores import in_float32
from negsamp_torch.sharded.exchange import Exchange

__all__ = ["ShardedDotProduct"]


@dataclass(eq=False)
class ShardedDotProduct:
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
        negatives and W ranks, (W - 1) (24 N + 144) bytes, for three masses a row (in front of the
        first whole block of the rank, in whole blocks, and behind the last), and 16 N k more, for
        the draws and their log-probabilities. Without replacement the masses come again with each
        further negative, (W - 1) 24 N. Where rows are split, there are also the queries and
        exclusions of the other ranks. That is O(N k), whatever the catalogue, the candidates and
        the dim.

    Raises
    ------
    InvalidInputError
        On all ranks, if the ranks differ in seed, call, alpha, beta, rows, queries (by more than
        rounding; as dropout makes them that each rank applies by itself; what is compared is a
        checksum, which a few rows of many may not move enough) or catalogue, if queries do not fit
        the targets on one, if lines are missing, or if a rank cannot compute its scores, which
        raises what is wrong there. At once, if queries or items are no floating-point tensors. A
        rank that dies or raises before
        it has called makes the others fail when the group's timeout is over.

    Notes
    -----
    Candidates are pre-selected from the words of the stream, by each rank for all rows, so that
    nothing has to be sent of them; with ``candidates="query"`` each row has its own run of them in
    each slice, and choosing them, unlike scoring them, is not divided by ranks. A block of 128
    columns that a border between slices cuts has its mass summed over ranks, and the second word of
    a draw finds the rank in which its item is.

    At alpha = 0 no score is looked at, and the draws are those of :class:`negsamp.Uniform` on one
    device.
    """

    queries: Any
    items: Any
    group: Any = None
    split: bool = False
    bytes_received: int = field(default=0, init=False)

    backend = "torch"
    collective = True

    def __post_init__(self) -> None:
        for name, tensor in (("queries", self.queries), ("items", self.items)):
            if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
                given = getattr(tensor, "dtype", type(tensor).__name__)
                raise InvalidInputError(f"{name} must be a floating-point tensor; got {given}")
            if tensor.ndim == 0:
                raise InvalidInputError(f"{name} have no axis; the last is to be the dim")

    def __call__(self, item_ids: Tensor) -> Tensor:
        """Return the scores of `item_ids` for all rows, summed over ranks; rows must be shared."""
        if self.split:
            raise InvalidInputError("probabilities over shards need the same rows on all ranks")
        items = self.local_items
        exchange = Exchange(self.process_group, items.device)
        bounds = self.bounds(exchange, range(int(item_ids[0]), int(item_ids[-1]) + 1))
        queries = self.queries.reshape(-1, self.queries.shape[-1]).float()
        first, last = bounds[exchange.rank], bounds[exchange.rank + 1]
        scores = queries.new_zeros((len(queries), len(item_ids)))
        own = (item_ids >= first) & (item_ids < last)
        with in_float32(items.device):
            scores[:, own] = queries @ items[item_ids[own] - first].float().T
        return exchange.sum(scores)

    def queries_of(self, rows: Rows) -> Tensor | InvalidInputError:
        """Return the queries of the rows that are sampled, (len(rows), dim), or what is wrong."""
        try:
            validation.check_queries(self.queries, rows.shape)
        except InvalidInputError as error:
            return error
        queries: Tensor = self.queries.detach().reshape(-1, self.dim)[rows.numbers].float()
        return queries

    @property
    def dim(self) -> int:
        """Length of a query."""
        return int(self.queries.shape[-1])

    def bounds(self, exchange: Exchange, catalogue: range) -> list[int]:
        """Return where the ids of ranks 0, 1, ... begin, and where the last end."""
        lengths = exchange.gather_numbers(len(self.local_items))
        bounds = [0, *accumulate(length for (length,) in lengths)]
        if bounds[-1] < catalogue.stop:
            raise InvalidInputError(
                f"the shards hold {bounds[-1]} item embeddings, not the ids of {catalogue}: line i "
                "of the whole table is the embedding of item id i"
            )
        return bounds

    @property
    def local_items(self) -> Tensor:
        """The lines of this rank."""
        items: Tensor = self.items.to_local() if hasattr(self.items, "to_local") else self.items
        return items.detach()

    @property
    def process_group(self) -> Any:
        """The ranks; None is the default group."""
        if self.group is None and hasattr(self.items, "device_mesh"):
            return self.items.device_mesh.get_group()
        return self.group
