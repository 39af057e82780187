"""The columns of a rank, and how they lie in the blocks that one device would have."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from negsamp.blocks import BLOCK
from negsamp_torch.rows import Excluded

__all__ = ["Columns", "log2_sum_exp2"]


@dataclass(frozen=True)
class Columns:
    """The columns of a rank: a contiguous run that may begin and end inside a block.

    It has three parts: the head, the end of a block that begins on an earlier rank; the body, whole
    blocks; and the tail, the beginning of a block that continues on later ranks or is cut off by
    the last column. A run inside one block is all head or all tail.

    Attributes
    ----------
    cuts : int64, shape (W + 1, 1) or (W + 1, rows)
        First column of each rank, and the end of the last rank's: of all rows, or of each row if
        rows have their own candidates.
    rank : int
        Whose columns these are.
    """

    cuts: Tensor
    rank: int

    @classmethod
    def of(cls, bounds: Tensor, candidates: Tensor | None, rank: int) -> Columns:
        """Divide all places at `bounds`, or those of (count,) or (rows, count) candidates."""
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
        """The end of this rank's columns, exclusive."""
        return self.cuts[self.rank + 1]

    @property
    def origin(self) -> Tensor:
        """Start of the block of the first column; local columns are counted from here."""
        return self.begin // BLOCK * BLOCK

    @property
    def last_block(self) -> Tensor:
        """The local block in which the run ends; the one after it if it ends with a block."""
        return (self.end - self.origin) // BLOCK

    @property
    def labels(self) -> Tensor:
        """Labels of the parts of all ranks, (3 W, rows or 1): parts of a cut block share one.

        Heads and tails have the number of their block, and bodies negative numbers. An empty part
        may have the label of a block next to it, which its mass of 0 makes harmless.
        """
        blocks = self.cuts // BLOCK
        bodies = -1 - torch.arange(len(blocks) - 1, device=blocks.device)
        parts = [blocks[:-1], bodies[:, None].expand_as(blocks[1:]), blocks[1:]]
        return torch.stack(parts, dim=1).flatten(0, 1)

    @property
    def is_empty(self) -> bool:
        """Whether this rank has no column of any row."""
        return not bool((self.end > self.begin).any())

    def runs(self, candidates: Tensor) -> Tensor:
        """Return each row's candidates on this rank, from the origin on; -1 is padding."""
        width = int((self.end - self.origin).amax())
        column = self.origin[:, None] + torch.arange(width, device=candidates.device)
        places = candidates.gather(1, column.clamp(max=candidates.shape[1] - 1))
        here = (column >= self.begin[:, None]) & (column < self.end[:, None])
        return places.masked_fill(~here, -1)

    def excluded(self, excluded: Excluded) -> Excluded:
        """Return the exclusions among these columns, counted from the origin."""
        num_rows, rows = len(excluded.offsets) - 1, excluded.rows
        begin, end, origin = (
            each.expand(num_rows)[rows] for each in (self.begin, self.end, self.origin)
        )
        inside = (excluded.places >= begin) & (excluded.places < end)
        places = (excluded.places - origin)[inside]
        width = int((self.end - self.origin).amax())
        return Excluded.of_pairs(rows[inside], places, num_rows, max(width, 1))

    def parts(self, masses: Tensor) -> Tensor:
        """Return log2 of the masses of head, body and tail, (3, rows), from (rows, blocks)."""
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
        """Return the log-masses of the blocks of the body, -inf for those of head and tail."""
        head, tail = self._is_cut(len(masses))
        block = torch.arange(masses.shape[1], device=masses.device)
        cut = (head[:, None] & (block == 0)) | (tail[:, None] & (block == self.last_block[:, None]))
        return masses.masked_fill(cut, -torch.inf)

    def of_rows(self, rows: Tensor) -> Columns:
        """Return the same for some of the rows."""
        return self if self.cuts.shape[1] == 1 else Columns(self.cuts[:, rows], self.rank)

    def _is_cut(self, num_rows: int) -> tuple[Tensor, Tensor]:
        """Return which rows have a head, and which a tail."""
        head = self.begin % BLOCK != 0
        tail = (self.end % BLOCK != 0) & ~(head & (self.last_block == 0))
        return head.expand(num_rows), tail.expand(num_rows)


def log2_sum_exp2(exponents: Tensor) -> Tensor:
    """Return log2 of the sum of 2 ** exponent over the last axis, shifted by the maximum."""
    highest = exponents.amax(-1)
    shift = highest.masked_fill(highest == -torch.inf, 0.0)
    sums = torch.exp2(exponents - shift[..., None]).sum(-1)
    return shift.double() + sums.double().log2_()
