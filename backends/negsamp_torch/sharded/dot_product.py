"""The score of users whose item table lies on several ranks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from negsamp import validation
from negsamp.errors import InvalidInputError
from negsamp_torch.rows import Rows
from negsamp_torch.scores import in_float32
from negsamp_torch.sharded.agreement import DTYPES
from negsamp_torch.sharded.collective import Collective, bounds_of, check_ids
from negsamp_torch.sharded.exchange import Exchange

__all__ = ["ShardedDotProduct"]


@dataclass(eq=False)
class ShardedDotProduct(Collective):
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
        empty. Of a DTensor the local part is taken: it must be sharded on its first axis, over one
        axis of its mesh, and replicated over the others.
    group : ProcessGroup, optional
        The ranks; by default that of the DTensor's mesh, over which it is sharded, else the default
        group.
    split : bool
        False: all ranks call with the same rows. True: each rank calls with rows of its own, as
        many as it has, and gets negatives for these, as if one device had been given the rows of
        ranks 0, 1, ... one after the other.
    item_ids : range, optional
        The ids of this rank's lines, without gaps. Without it the lengths of the slices have to add
        up to the end of the catalogue, and slices in another order go unnoticed. With it they are
        refused, and the table may be longer than the catalogue, or begin with its first item. A
        DTensor knows its ids.

    Attributes
    ----------
    bytes_received : int
        What collectives brought this rank in all calls of ``sample`` so far. A call brings, with N
        rows in all, k negatives and W ranks, (W - 1) (24 N + 176) bytes, for three masses a row (in
        front of the first whole block of the rank, in whole blocks, and behind the last), and
        16 N k more, for the draws and their log-probabilities. Without replacement the masses come
        again with each further negative, (W - 1) 24 N. Where rows are split, there are also the
        queries and exclusions of the other ranks, at the length of the longest:
        (W - 1) (R (16 + 4 dim) + 8 E + 24), with R the most rows of a rank and E the most
        exclusions. That is O(N k), whatever the catalogue, the candidates and the dim, or, split,
        O(N (k + dim)) of ranks with equally many rows.

    Raises
    ------
    InvalidInputError
        On all ranks, if the ranks differ in seed, call, alpha, beta, rows, queries (by more than
        rounding; as dropout makes them that each rank applies by itself; what is compared is a
        checksum, which a few rows of many may not move enough), dtypes or catalogue, if arguments
        do not fit on one, if lines are missing or too many, or if a rank cannot compute its scores:
        each rank raises its own error, and the others say which rank to look at. At once, if
        queries or items are no floating-point tensors, or a DTensor is placed otherwise. Where this
        process is no member of the group, or the group cannot send tensors of this device, on that
        rank alone.

    Notes
    -----
    Candidates are pre-selected from the words of the stream, by each rank for all rows, so that
    nothing has to be sent of them; with ``candidates="query"`` each row has its own run of them in
    each slice, and choosing them, unlike scoring them, is not divided by ranks. A block of 128
    columns that a border between slices cuts has its mass summed over ranks, and the second word of
    a draw finds the rank in which its item is.

    A rank that dies, or never calls, leaves the others waiting until the group's timeout is over:
    gloo raises then, NCCL's watchdog ends their processes.

    At alpha = 0 no score is looked at, and the draws are those of :class:`negsamp.Uniform` on one
    device.
    """

    queries: Any
    items: Any
    group: Any = None
    split: bool = False
    item_ids: range | None = None
    bytes_received: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        for name, tensor in (("queries", self.queries), ("items", self.items)):
            if not isinstance(tensor, Tensor) or tensor.dtype not in DTYPES:
                given = getattr(tensor, "dtype", type(tensor).__name__)
                raise InvalidInputError(
                    f"{name} must be a floating-point tensor of 16, 32 or 64 bits; got {given}"
                )
            if tensor.ndim == 0:
                raise InvalidInputError(f"{name} have no axis; the last is to be the dim")
        if self.item_ids is not None:
            check_ids(self.item_ids)
        if hasattr(self.items, "placements"):
            self._mesh_axis()  # refuses others

    def __call__(self, item_ids: Tensor) -> Tensor:
        """Return the scores of `item_ids` for all rows, summed over ranks; rows must be shared."""
        if self.split:
            raise InvalidInputError("probabilities over shards need the same rows on all ranks")
        queries = self.queries.reshape(-1, self.queries.shape[-1])
        exchange = Exchange.over(self.process_group, queries.device)
        asked = range(int(item_ids[0]), int(item_ids[-1]) + 1)
        bounds = bounds_of(self._held(exchange)[0], asked)
        first, last = bounds[exchange.rank], bounds[exchange.rank + 1]
        own, failure = (item_ids >= first) & (item_ids < last), None
        try:
            scores = queries.new_zeros((len(queries), len(item_ids)), dtype=torch.float32)
            items = self.local_items[item_ids[own] - first].float()
            with in_float32(items.device):
                scores[:, own] = queries.float() @ items.T
        except Exception as error:  # noqa: BLE001  (raised as soon as the other ranks know of it)
            failure = error
        exchange.raise_on_all(failure)
        return exchange.sum(scores)

    def queries_of(self, rows: Rows) -> Tensor:
        """Return the queries of the rows that are sampled, (len(rows), dim)."""
        validation.check_dense("queries", self.queries)
        validation.check_dense("items", self.local_items)
        validation.check_queries(self.queries, rows.shape)
        dim, lines = self.queries.shape[-1], tuple(self.local_items.shape)
        if lines[1:] != (dim,):
            raise InvalidInputError(f"items have shape {lines}; they must be (num_lines, {dim})")
        if self.item_ids is not None and len(self.item_ids) != lines[0]:
            raise InvalidInputError(f"{lines[0]} lines of items are not those of {self.item_ids}")
        queries: Tensor = self.queries.detach().reshape(-1, dim)[rows.numbers].float()
        return queries

    @property
    def dtypes(self) -> tuple[torch.dtype | None, torch.dtype | None]:
        """Those of queries and items."""
        return self.queries.dtype, self.items.dtype

    def bounds(self, exchange: Exchange, catalogue: range) -> list[int]:
        """Return where the ids of ranks 0, 1, ... begin, and where the last end."""
        held, all_said = self._held(exchange)
        stop = held[-1].stop
        if stop != catalogue.stop and not all_said:
            more = "; say by item_ids= which of them are here" if stop > catalogue.stop else ""
            raise InvalidInputError(
                f"the shards hold {stop} item embeddings, not the ids of {catalogue}: line i of "
                f"the whole table is the embedding of item id i{more}"
            )
        return bounds_of(held, catalogue)

    @property
    def local_items(self) -> Tensor:
        """The lines of this rank."""
        items: Tensor = self.items.to_local() if hasattr(self.items, "to_local") else self.items
        return items.detach()

    @property
    def process_group(self) -> Any:
        """The ranks; None is the default group."""
        if self.group is None and hasattr(self.items, "placements"):
            return self.items.device_mesh.get_group(self._mesh_axis())
        return self.group

    def _held(self, exchange: Exchange) -> tuple[list[range], bool]:
        """Return the ids of each rank, and whether all have said them."""
        first = self._first_id
        told = exchange.gather_numbers(-1 if first is None else first, len(self.local_items))
        held: list[range] = []
        for said, length in told:
            start = said if said != -1 else held[-1].stop if held else 0
            held.append(range(start, start + length))
        return held, all(said != -1 for said, _ in told)

    @property
    def _first_id(self) -> int | None:
        """The id of the first line: as given, or as a DTensor is cut; None if not known."""
        if self.item_ids is not None:
            return self.item_ids.start
        if not hasattr(self.items, "placements"):
            return None
        mesh, axis, num_lines = self.items.device_mesh, self._mesh_axis(), len(self.items)
        each = -(-num_lines // mesh.size(axis))
        return int(min(mesh.get_coordinate()[axis] * each, num_lines))

    def _mesh_axis(self) -> int:
        """Return over which axis of its mesh a DTensor is sharded, on its own first axis."""
        placements = self.items.placements
        divided = [axis for axis, placed in enumerate(placements) if not placed.is_replicate()]
        if len(divided) != 1 or not placements[divided[0]].is_shard(0):
            raise InvalidInputError(
                f"items are placed as {tuple(placements)}; a DTensor must have Shard(0) on one "
                "axis of its mesh, and Replicate() on the others: redistribute it, or pass slices"
            )
        return divided[0]
