"""Where in the random stream a call is, on the device: what kernels read before they draw."""

from __future__ import annotations

import torch
from torch import Tensor

from negsamp.stream import Stream

__all__ = ["counter_of"]


def counter_of(stream: Stream, device: torch.device) -> Tensor:
    """Return the key of the stream, as a signed integer, and the number of the call: int64 (2,)."""
    key = stream.key - (stream.key >> 63 << 64)
    return torch.tensor([key, stream.call], dtype=torch.int64, device=device)
