"""The position of a call in the random stream, on the device, where kernels read it."""

from __future__ import annotations

import torch
from torch import Tensor

from negsamp.errors import InvalidInputError
from negsamp.stream import Stream

__all__ = ["counter_of"]


def counter_of(stream: Stream, device: torch.device) -> Tensor:
    """Return the key of the stream, as a signed integer, and the number of the call: int64 (2,).

    Both are arguments of fill kernels, since a copy from the host would wait. If a graph is being
    captured, the number of the call must be a device tensor: as a constant it would repeat.

    Raises
    ------
    InvalidInputError
        If a graph is being captured and the number of the call is not on the device.
    """
    call: int | Tensor = stream.call
    on_device = isinstance(call, Tensor)
    if not on_device and device.type == "cuda" and torch.cuda.is_current_stream_capturing():
        raise InvalidInputError(
            "a captured sample() would repeat its draws in every replay: capture that of "
            "negsamp_torch.capturable(sampler)"
        )
    counter = torch.empty(2, dtype=torch.int64, device=device)
    counter[0].fill_(stream.key - (stream.key >> 63 << 64))
    counter[1].fill_(call)
    return counter
