"""Detection of CUDA graph capture, during which synchronisation is forbidden."""

from __future__ import annotations

import torch

__all__ = ["is_capturing"]


def is_capturing() -> bool:
    """Return whether the current stream is being captured; False if CUDA was never used."""
    started = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return bool(started and torch.cuda.is_current_stream_capturing())
