"""The collectives among ranks, and the bytes that they receive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from negsamp.errors import InvalidInputError

__all__ = ["Exchange"]


@dataclass(eq=False)
class Exchange:
    """The collectives of a call, and the bytes that they received.

    Attributes
    ----------
    group : ProcessGroup or None
        None is the default group.
    device : torch.device
        Device of the tensors that are sent.
    bytes_received : int
        Sum of the sizes of all tensors that this rank received, by the definition of the
        collectives: W - 1 parts of a gathered tensor, and one tensor of a sum.
    """

    group: Any
    device: torch.device
    bytes_received: int = 0

    @classmethod
    def over(cls, group: Any, device: torch.device) -> Exchange:
        """Raise if this process is not in the group, or the group cannot send from the device."""
        outside: Any = dist.GroupMember.NON_GROUP_MEMBER  # what new_group returns there
        if group is not outside and not isinstance(group, dist.ProcessGroup | None):
            hint = "; pass its .get_group()" if hasattr(group, "get_group") else ""
            raise InvalidInputError(
                f"group must be a ProcessGroup or None; got a {type(group).__name__}{hint}"
            )
        if dist.get_rank(group) < 0:
            raise InvalidInputError(
                "this process is not in the group: call sample() only on the ranks of the group"
            )
        devices = [pair.split(":")[0] for pair in dist.get_backend_config(group).split(",")]
        if device.type not in devices:
            raise InvalidInputError(
                f"the group sends tensors on {' and '.join(devices)}; those of this call are on "
                f"{device}: move them, or use a group with a backend for that device"
            )
        return cls(group, device)

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

    def gather_numbers(self, *own: int) -> list[list[int]]:
        """Return the numbers of all ranks."""
        numbers = torch.tensor(own, dtype=torch.int64, device=self.device)
        gathered: list[list[int]] = self.gather(numbers).tolist()
        return gathered

    def gather_uneven(self, own: Tensor, lengths: Sequence[int]) -> Tensor:
        """Concatenate the tensors of all ranks, whose lengths every rank knows.

        All are padded to the greatest length, since collectives take tensors of one shape.
        """
        padded = own.new_zeros((max(lengths), *own.shape[1:]))
        padded[: len(own)] = own
        return torch.cat([part[:n] for part, n in zip(self.gather(padded), lengths, strict=True)])

    def sum(self, own: Tensor) -> Tensor:
        """Return the sum over all ranks."""
        if self.size > 1:
            dist.all_reduce(own, group=self.group)
            self.bytes_received += own.nbytes
        return own

    def raise_on_all(self, failure: Exception | None) -> None:
        """Raise on all ranks if one of them has failed, on that one its own error."""
        failed = self.gather_numbers(int(failure is not None))
        if failure is not None:
            raise failure
        if [1] in failed:
            raise InvalidInputError(
                f"rank {failed.index([1])} could not compute its scores: see the error raised there"
            )
