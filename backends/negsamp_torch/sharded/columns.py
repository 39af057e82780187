"""Which columns a rank has of each row, on the grid of blocks that one device would have."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from negsamp_torch.by_score import log2_sum_exp2
from negsamp_torch.rows import Excluded
from negsamp_torch.scores import BLOCK

__all__ = ["Columns"]


@dataclass(frozen=True)
class Columns:
    """The columns of a rank: a run that may begin and end inside a block.

    The parts of it are the head, which goes on with a block that began on an earlier rank, the
    body of whole blocks, and the tail, which begins a block that goes on on later ranks or stops at
    the last column. A run inside one block is all head or all tail.

    Attributes
    ----------
    cuts : int64, shape (W + 1, 1) or (W + 1, rows)
        Where the columns of ranks 0, 1, ... begin, and where the last ends: the same for all rows,
        or, with candidates of their own, different.
    rank : int
        Whose columns these are.
    """

    cuts: Tensor
    rank: int

    @classmethod
    def of(cls, bounds: Tensor, candidates: Tensor | None, rank: int) -> Columns:
        """Cut all places where `bounds` are, or those of (count,) or (rows, count) candidates."""
        if candidates is None:
            return cls(bounds[:, None], rank)
        if candidates.ndim == 1:
            return cls(torch.searchsorted(candidates, bounds)[:, None], rank)
        each = bounds.expand(len(candidates), -1).contiguous()
        return cls(torch.searchsorted(candidates, each).T, rank)

    @property
    def begin(self) -> Tensor:
        """The first column of this rank."""
        return self.cuts[self.rank]

    @property
    def end(self) -> Tensor:
        """The column behind its last."""
        return self.cuts[self.rank + 1]

    @property
    def origin(self) -> Tensor:
        """Where the block of the first column begins: what a rank counts its columns from."""
        return self.begin // BLOCK * BLOCK

    @property
    def last_block(self) -> Tensor:
        """The block of this rank that its run ends in or, if at a border, before."""
        return (self.end - self.origin) // BLOCK

    @property
    def labels(self) -> Tensor:
        """Name the parts of all ranks, (3 W, rows or 1): what is of one block has one name.

        Heads and tails are named after their block, and bodies by negative numbers. A part without
        columns may be named after a block that it is beside.
        """
        blocks = self.cuts // BLOCK
        bodies = -1 - torch.arange(len(blocks) - 1, device=blocks.device)
        parts = [blocks[:-1], bodies[:, None].expand_as(blocks[1:]), blocks[1:]]
        return torch.stack(parts, dim=1).flatten(0, 1)

    @property
    def is_empty(self) -> bool:
        """Whether this rank has none, of all rows."""
        return not bool((self.end > self.begin).any())

    def runs(self, candidates: Tensor) -> Tensor:
        """Return which of each row's candidates are here, from the origin on; -1 is none."""
        width = int((self.end - self.origin).amax())
        column = self.origin[:, None] + torch.arange(width, device=candidates.device)
        places = candidates.gather(1, column.clamp(max=candidates.shape[1] - 1))
        here = (column >= self.begin[:, None]) & (column < self.end[:, None])
        return places.masked_fill(~here, -1)

    def excluded(self, excluded: Excluded) -> Excluded:
        """Return what is excluded of these columns, counted from the origin."""
        num_rows, rows = len(excluded.offsets) - 1, excluded.rows
        begin, end, origin = (
            each.expand(num_rows)[rows] for each in (self.begin, self.end, self.origin)
        )
        inside = (excluded.places >= begin) & (excluded.places < end)
        places = (excluded.places - origin)[inside]
        width = int((self.end - self.origin).amax())
        return Excluded.of_pairs(rows[inside], places, num_rows, max(width, 1))

    def parts(self, masses: Tensor) -> Tensor:
        """Return log2 of the mass of head, body and tail, (3, rows), from (rows, blocks)."""
        head, tail = self._is_cut(len(masses))
        last = self.last_block.expand(len(masses)).clamp(max=masses.shape[1] - 1)
        nothing = masses.new_full((len(masses),), -torch.inf)
        return torch.stack(
            [
                masses[:, 0].where(head, nothing),
                log2_sum_exp2(self.bodies(masses)),
                masses.gather(1, last[:, None])[:, 0].where(tail, nothing),
            ]
        )

    def bodies(self, masses: Tensor) -> Tensor:
        """Return the masses of blocks, -inf where they are of a head or a tail."""
        head, tail = self._is_cut(len(masses))
        block = torch.arange(masses.shape[1], device=masses.device)
        cut = (head[:, None] & (block == 0)) | (tail[:, None] & (block == self.last_block[:, None]))
        return masses.masked_fill(cut, -torch.inf)

    def of_rows(self, rows: Tensor) -> Columns:
        """Return the same for some of the rows."""
        return self if self.cuts.shape[1] == 1 else Columns(self.cuts[:, rows], self.rank)

    def _is_cut(self, num_rows: int) -> tuple[Tensor, Tensor]:
        """Return of which rows there is a head, and of which a tail."""
        head = self.begin % BLOCK != 0
        tail = (self.end % BLOCK != 0) & ~(head & (self.last_block == 0))
        return head.expand(num_rows), tail.expand(num_rows)
