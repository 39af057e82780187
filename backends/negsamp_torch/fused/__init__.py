"""Kernels in Triton for CUDA devices: the same draws, nothing large written down, no waiting."""

from __future__ import annotations

import warnings
from functools import cache
from importlib.util import find_spec

import torch

__all__ = ["works_on"]


def works_on(device: torch.device) -> bool:
    """Return whether the kernels can run there; say once why not, where it is a pity."""
    if device.type != "cuda" or torch.version.hip is not None or not _has_triton():
        return False
    return _is_able(device.index)


@cache
def _is_able(index: int | None) -> bool:
    return torch.cuda.get_device_capability(index) >= (8, 0)


@cache
def _has_triton() -> bool:
    if find_spec("triton") is not None:
        return True
    warnings.warn(
        "Triton is not installed, so negsamp draws on CUDA without its fused kernels: the same "
        "draws, several times slower; pip install triton",
        RuntimeWarning,
        stacklevel=2,
    )
    return False
