"""Fast dropout: on a CPU, torch's own takes longer than the layer it follows."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Dropout"]

_VALUES = 1 << 16
"""Number of values of 16 random bits; the drop probability is a multiple of its inverse."""


class Dropout(nn.Module):
    """While training, set each element to 0 with probability p and divide the others by 1 - p.

    On a CPU each element uses 16 bits of its own, a quarter of a 64-bit word of torch's default
    generator, and p is rounded to a multiple of 2**-16. On other devices this is
    :func:`torch.nn.functional.dropout`.

    Parameters
    ----------
    p : float
        In [0, 1).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, values: Tensor) -> Tensor:
        """Apply dropout while training; return the values unchanged otherwise."""
        if not self.training or self.p == 0:
            return values
        if values.device.type != "cpu":
            return functional.dropout(values, self.p)
        return values * _noise(values, self.p)

    def extra_repr(self) -> str:
        """Return the arguments shown in the module's repr."""
        return f"p={self.p}"


def _noise(like: Tensor, p: float) -> Tensor:
    """Return noise in the shape of a tensor: 0 with probability p, otherwise 1 / (1 - p)."""
    num_dropped = min(round(p * _VALUES), _VALUES - 1)
    words = torch.empty((like.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    bits = words.view(torch.int16)[: like.numel()].view(like.shape)
    noise = torch.empty(like.shape, dtype=like.dtype)
    torch.ge(bits, num_dropped - _VALUES // 2, out=noise)
    return noise.mul_(_VALUES / (_VALUES - num_dropped))
