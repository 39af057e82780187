"""What ranks send to each other, and how many bytes that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

__all__ = ["Exchange"]


@dataclass(eq=False)
class Exchange:
    """The collectives that a draw takes, and what they brought.

    Attributes
    ----------
    group : ProcessGroup or None
        None is the default group.
    bytes_received : int
        Sum of the sizes of all tensors that this rank was sent by others, as the collectives are
        defined: W - 1 parts of a gathered tensor, and one tensor of a sum.
    """

    group: Any = None
    bytes_received: int = 0

    @property
    def rank(self) -> int:
        """Place of this rank in the group."""
        return dist.get_rank(self.group)

    @property
    def size(self) -> int:
        """Number of ranks, W."""
        return dist.get_world_size(self.group)

    def gather(self, own: Tensor) -> Tensor:
        """Return the tensors of all ranks, all of one shape, in the order of ranks: (W, ...)."""
        parts = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(parts, own.contiguous(), group=self.group)
        self.bytes_received += (self.size - 1) * own.nbytes
        return torch.stack(parts)

    def gather_uneven(self, own: Tensor) -> list[Tensor]:
        """Return the tensors of all ranks, that differ in their first axis."""
        lengths = self.gather(torch.tensor([len(own)], device=own.device))[:, 0].tolist()
        padded = own.new_zeros((max(lengths), *own.shape[1:]))
        padded[: len(own)] = own
        return [part[:n] for part, n in zip(self.gather(padded), lengths, strict=True)]

    def sum(self, own: Tensor) -> Tensor:
        """Return the sum over all ranks."""
        if self.size > 1:
            dist.all_reduce(own, group=self.group)
            self.bytes_received += own.nbytes
        return own

    def bounds(self, count: int, device: torch.device) -> Tensor:
        """Return where what ranks 0, 1, ... have begins, and where that of the last ends."""
        counts = self.gather(torch.tensor([count], device=device))[:, 0].cumsum(0)
        return torch.cat([counts.new_zeros(1), counts])
