"""Which columns a rank owns: whole blocks, those that a border cuts moved to where they begin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from negsamp.errors import InvalidInputError
from negsamp_torch.rows import Excluded
from negsamp_torch.scores import BLOCK, Table
from negsamp_torch.sharded.exchange import Exchange

__all__ = ["Shard", "shard_of"]


@dataclass(frozen=True)
class Shard:
    """The blocks of columns that a rank owns.

    Attributes
    ----------
    first : int
        Their first column, a multiple of 128, or the number of columns where there are none.
    table : Table
        The embeddings of their columns.
    """

    first: int
    table: Table

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.table.items)

    def excluded(self, excluded: Excluded) -> Excluded:
        """Return what is excluded of these columns."""
        inside = (excluded.places >= self.first) & (excluded.places < self.first + self.width)
        rows, places = excluded.rows[inside], excluded.places[inside] - self.first
        return Excluded.of_pairs(rows, places, len(excluded.offsets) - 1, max(self.width, 1))


def shard_of(
    exchange: Exchange, items: Tensor, catalogue: range, candidates: Tensor | None
) -> Shard:
    """Move the blocks that are cut by a border between ranks to where they begin.

    Parameters
    ----------
    exchange : Exchange
    items : Tensor
        This rank's lines of the table.
    catalogue : range
        The item ids.
    candidates : int64 Tensor, shape (count,), or None
        The pre-selected positions; the columns are these, or else all positions.
    """
    bounds = exchange.bounds(items)
    if bounds[-1] < catalogue.stop:
        raise InvalidInputError(
            f"the shards hold {bounds[-1]} item embeddings, not the ids of {catalogue}: line i of "
            "the whole table is the embedding of item id i"
        )
    clipped = torch.tensor(bounds).clamp(catalogue.start, catalogue.stop) - catalogue.start
    width = len(catalogue)
    if candidates is not None:
        clipped, width = torch.searchsorted(candidates.cpu(), clipped), len(candidates)
    columns: list[int] = clipped.tolist()
    first, last = columns[exchange.rank], columns[exchange.rank + 1]
    positions = torch.arange(first, last) if candidates is None else candidates[first:last].cpu()
    lines = items[(positions + catalogue.start - bounds[exchange.rank]).to(items.device)].float()
    owned = min(-(-first // BLOCK) * BLOCK, width), min(-(-last // BLOCK) * BLOCK, width)
    heads = lines.new_zeros((BLOCK - 1, lines.shape[1]))
    heads[: min(owned[0], last) - first] = lines[: owned[0] - first]
    needed, parts = owned[1] - max(last, owned[0]), [lines[owned[0] - first :]]
    for rank, head in enumerate(exchange.gather(heads)):
        begin, end = columns[rank], columns[rank + 1]
        if rank > exchange.rank and needed > 0:
            length = min(min(-(-begin // BLOCK) * BLOCK, end) - begin, needed)
            parts.append(head[:length])
            needed -= length
    table = torch.cat(parts)
    norms = torch.linalg.vector_norm(table, dim=1)
    return Shard(owned[0], Table(table, torch.cat([norms, norms.new_zeros(1)]).amax()))
