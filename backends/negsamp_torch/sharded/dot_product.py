"""Scores by dot products with an item table that is sharded over ranks."""

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
    """Score by dot products with item embeddings of which each rank holds a contiguous slice.

    Pass it as ``score=`` to :class:`negsamp.GenNi` on all ranks of a process group at once, with
    samplers of the same seed. Up to the rounding of scores, each rank gets the negatives that one
    device would draw from the whole table.

    Parameters
    ----------
    queries : Tensor, shape targets.shape + (dim,)
        One query per target.
    items : Tensor, shape (num_lines, dim), or DTensor
        This rank's rows of the table. The slices of ranks 0, 1, ..., one after another, make up
        rows 0, 1, ..., which are the item ids; they may differ in length and be empty. A DTensor
        must be sharded on its first axis over one axis of its mesh and replicated over the others;
        its local part is used.
    group : ProcessGroup, optional
        The ranks; by default the group over which a DTensor is sharded, else the default group.
    split : bool
        False: all ranks pass the same rows. True: each rank passes rows of its own, any number of
        them, and gets their negatives, as if one device had been given the rows of ranks 0, 1, ...
        one after another.
    item_ids : range, optional
        The ids of this rank's rows of the table, without gaps. Without it, the lengths of the
        slices must add up to the end of the catalogue, and slices in another order are not
        detected. With it they are refused, and the table may be longer than the catalogue, or
        begin with its first item. A DTensor knows its ids.

    Attributes
    ----------
    bytes_received : int
        Bytes that this rank received in collectives, over all calls of ``sample`` so far. With N
        rows in all, k negatives and W ranks, a call receives (W - 1) (24 N + 176) bytes for three
        masses per row (before the rank's first whole block, in whole blocks, and after the last),
        and 16 N k for the draws and their log-probabilities. Without replacement the masses come
        again with each further negative, (W - 1) 24 N. With ``split=True`` the queries and
        exclusions of the other ranks are added, padded to the longest:
        (W - 1) (R (16 + 4 dim) + 8 E + 24), for at most R rows and E exclusions per rank. The total
        is O(N k), independent of the catalogue, the candidates and dim; or, when split over ranks
        with equally many rows, O(N (k + dim)).

    Raises
    ------
    InvalidInputError
        When built: if queries or items are not floating-point tensors, or a DTensor is placed
        otherwise. In a call, on all ranks: if the ranks differ in seed, call, alpha, beta, rows,
        queries, dtypes or catalogue; if arguments do not fit on one rank; if rows of the table are
        missing or too many; or if a rank cannot compute its scores. That rank raises its own error,
        and the others name it. Queries are compared by a checksum, up to rounding, which detects
        dropout that differs between ranks, but maybe not a difference in few rows of many. On one
        rank only: if the process is not in the group, or the group cannot send tensors from this
        device.

    Notes
    -----
    Each rank pre-selects the candidates of all rows from the random stream, so none are sent. With
    ``candidates="query"`` each row has its own candidates in each slice, and the work of choosing
    them, unlike that of scoring them, is not divided by the ranks. If slices meet within a block of
    128 columns, its mass is summed over ranks, and the second word of a draw finds the rank of its
    item.

    If a rank dies or never calls, the others wait for the group's timeout: then gloo raises, and
    NCCL's watchdog ends their processes.

    At alpha = 0 no scores are read, and the draws are those of :class:`negsamp.Uniform` on one
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
                raise InvalidInputError(f"{name} must have an axis, of length dim; got a scalar")
        if self.item_ids is not None:
            check_ids(self.item_ids)
        if hasattr(self.items, "placements"):
            self._mesh_axis()  # raises if sharded otherwise

    def __call__(self, item_ids: Tensor) -> Tensor:
        """Return all rows' scores of `item_ids`, summed over ranks; rows must not be split."""
        if self.split:
            raise InvalidInputError(
                "probabilities over shards need the same rows on all ranks; got split=True"
            )
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
        except Exception as error:  # noqa: BLE001  (raised once the other ranks are told)
            failure = error
        exchange.raise_on_all(failure)
        return exchange.sum(scores)

    def queries_of(self, rows: Rows) -> Tensor:
        """Return the queries of the sampled rows, (len(rows), dim)."""
        validation.check_dense("queries", self.queries)
        validation.check_dense("items", self.local_items)
        validation.check_queries(self.queries, rows.shape)
        dim, lines = self.queries.shape[-1], tuple(self.local_items.shape)
        if lines[1:] != (dim,):
            raise InvalidInputError(f"items have shape {lines}; they must be (num_lines, {dim})")
        if self.item_ids is not None and len(self.item_ids) != lines[0]:
            raise InvalidInputError(f"items have {lines[0]} rows, but item_ids are {self.item_ids}")
        queries: Tensor = self.queries.detach().reshape(-1, dim)[rows.numbers].float()
        return queries

    @property
    def dtypes(self) -> tuple[torch.dtype | None, torch.dtype | None]:
        """The dtypes of queries and items."""
        return self.queries.dtype, self.items.dtype

    def bounds(self, exchange: Exchange, catalogue: range) -> list[int]:
        """Return the first id of each rank, and the end of the last rank's ids."""
        held, all_stated = self._held(exchange)
        stop = held[-1].stop
        if stop != catalogue.stop and not all_stated:
            more = "; pass item_ids=, the ids of each rank" if stop > catalogue.stop else ""
            raise InvalidInputError(
                f"the shards have {stop} item embeddings, but the catalogue is {catalogue}: row i "
                f"of the whole table is the embedding of item id i{more}"
            )
        return bounds_of(held, catalogue)

    @property
    def local_items(self) -> Tensor:
        """The rows of the table that this rank holds."""
        items: Tensor = self.items.to_local() if hasattr(self.items, "to_local") else self.items
        return items.detach()

    @property
    def process_group(self) -> Any:
        """The ranks; None is the default group."""
        if self.group is None and hasattr(self.items, "placements"):
            return self.items.device_mesh.get_group(self._mesh_axis())
        return self.group

    def _held(self, exchange: Exchange) -> tuple[list[range], bool]:
        """Return the ids of each rank, and whether all ranks have stated them."""
        first = self._first_id
        sent = exchange.gather_numbers(-1 if first is None else first, len(self.local_items))
        held: list[range] = []
        for stated, length in sent:
            start = stated if stated != -1 else held[-1].stop if held else 0
            held.append(range(start, start + length))
        return held, all(stated != -1 for stated, _ in sent)

    @property
    def _first_id(self) -> int | None:
        """The id of this rank's first row: from `item_ids` or the DTensor; None if unknown."""
        if self.item_ids is not None:
            return self.item_ids.start
        if not hasattr(self.items, "placements"):
            return None
        mesh, axis, num_lines = self.items.device_mesh, self._mesh_axis(), len(self.items)
        each = -(-num_lines // mesh.size(axis))
        return int(min(mesh.get_coordinate()[axis] * each, num_lines))

    def _mesh_axis(self) -> int:
        """Return the axis of its mesh over which a DTensor's first axis is sharded."""
        placements = self.items.placements
        divided = [axis for axis, placed in enumerate(placements) if not placed.is_replicate()]
        if len(divided) != 1 or not placements[divided[0]].is_shard(0):
            raise InvalidInputError(
                f"items are placed as {tuple(placements)}; a DTensor must have Shard(0) on one "
                "axis of its mesh, and Replicate() on the others: redistribute it, or pass slices"
            )
        return divided[0]
