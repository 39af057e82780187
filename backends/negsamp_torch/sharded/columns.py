"""Which columns of a draw each rank has, and which whole blocks of them it draws from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from negsamp.errors import InvalidInputError
from negsamp_torch.scores import BLOCK
from negsamp_torch.sharded.exchange import Exchange

__all__ = ["Columns", "Lines"]


@dataclass(frozen=True)
class Lines:
    """Which item ids each rank can score: slices that follow one another.

    Attributes
    ----------
    bounds : int64, shape (W + 1,)
        Where the ids of ranks 0, 1, ... begin, and where the last end.
    rank : int
        This one.
    catalogue : range
        The item ids that may be drawn.
    """

    bounds: Tensor
    rank: int
    catalogue: range

    @classmethod
    def of(cls, exchange: Exchange, count: int, device: torch.device, catalogue: range) -> Lines:
        """Tell the others how many ids this rank has; raise on all if they are too few."""
        bounds = exchange.bounds(count, device)
        if int(bounds[-1]) < catalogue.stop:
            raise InvalidInputError(
                f"the shards hold {int(bounds[-1])} lines, not the ids of {catalogue}: line i of "
                "all of them together is that of item id i"
            )
        return cls(bounds, exchange.rank, catalogue)

    def own(self, places: Tensor) -> Tensor:
        """Return which of this rank's lines belong to places in the catalogue that it has."""
        return places + (self.catalogue.start - self.bounds[self.rank])

    def columns(self, places: Tensor | None) -> Columns:
        """Divide the columns of a draw.

        They are the places of the catalogue, or ascending candidates among them: int64, shape
        (count,) for all rows, or (rows, count).
        """
        start, stop = self.catalogue.start, self.catalogue.stop
        inside = self.bounds.clamp(start, stop) - start
        if places is None:
            return Columns(inside[None], self.rank, stop - start)
        wanted = inside.expand(*places.shape[:-1], -1).contiguous()
        bounds = torch.searchsorted(places, wanted)
        return Columns(bounds.view(-1, len(inside)), self.rank, places.shape[-1])


@dataclass(frozen=True)
class Columns:
    """The columns of a draw, divided: a block that a border cuts belongs to where it begins.

    Attributes
    ----------
    bounds : int64, shape (num_rows, W + 1), or (1, W + 1) if alike in all rows
        Where the columns of ranks 0, 1, ... begin, and where the last end.
    rank : int
        This one.
    width : int
        Number of columns, of all ranks.
    """

    bounds: Tensor
    rank: int
    width: int

    @property
    def begin(self) -> Tensor:
        """The first column that this rank has."""
        return self.bounds[:, self.rank]

    @property
    def end(self) -> Tensor:
        """The first column behind those that it has."""
        return self.bounds[:, self.rank + 1]

    @property
    def first(self) -> Tensor:
        """The first column that it draws from, a multiple of 128 unless there are none."""
        return self._whole(self.begin)

    @property
    def last(self) -> Tensor:
        """The first column behind those that it draws from."""
        return self._whole(self.end)

    @property
    def needed(self) -> Tensor:
        """How many of the columns that it draws from other ranks have: fewer than 128."""
        return (self.last - torch.maximum(self.end, self.first)).clamp(min=0)

    def head(self, rank: int) -> Tensor:
        """Return how many columns a rank has of a block that begins before them."""
        begin, end = self.bounds[:, rank], self.bounds[:, rank + 1]
        return torch.minimum(self._whole(begin), end) - begin

    def tails(self, exchange: Exchange, heads: Tensor) -> Tensor:
        """Move what is known of columns to the ranks that draw from them.

        Parameters
        ----------
        exchange : Exchange
        heads : Tensor, shape (num_rows, 127, ...)
            Of columns begin, begin + 1, ..., as many as `head` says.

        Returns
        -------
        Tensor of the same shape
            Of columns end, end + 1, ..., as many as `needed` says, 0 behind them.
        """
        everyone, tails = exchange.gather(heads), torch.zeros_like(heads)
        filled, slots = torch.zeros_like(self.needed), torch.arange(BLOCK - 1, device=heads.device)
        for rank in range(self.rank + 1, exchange.size):
            length = torch.minimum(self.head(rank), self.needed - filled)
            row, slot = (slots < length[:, None]).expand(len(heads), -1).nonzero(as_tuple=True)
            tails[row, filled.expand(len(heads))[row] + slot] = everyone[rank][row, slot]
            filled = filled + length
        return tails

    def _whole(self, columns: Tensor) -> Tensor:
        return (-(-columns // BLOCK) * BLOCK).clamp(max=self.width)
