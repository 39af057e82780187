"""Triton kernels for CUDA devices: the same draws, without score matrices or synchronisation."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.util import find_spec

import torch

from negsamp import NegSampWarning
from negsamp_torch.capture import is_capturing

__all__ = ["launching_on", "works_on"]

SLOWER = "so negsamp draws on CUDA without its fused kernels: the same draws, several times slower"


def launching_on(device: torch.device) -> AbstractContextManager[object]:
    """Return a context that makes a device the current one, on which Triton launches kernels."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def works_on(device: torch.device) -> bool:
    """Return whether the kernels can run on a device; warn once if Triton is missing or fails.

    During graph capture no kernel can be tried: they are assumed to work, else the call fails.
    """
    if device.type != "cuda" or torch.version.hip is not None or not _has_triton():
        return False
    return is_capturing() or _is_able(device)


@cache
def _is_able(device: torch.device) -> bool:
    return torch.cuda.get_device_capability(device) >= (8, 0) and _can_compile(device)


def _can_compile(device: torch.device) -> bool:
    """Return whether a small kernel compiles and can be launched, without waiting for its end."""
    from negsamp_torch.fused.kernels.subsets import write_keys  # noqa: PLC0415 - loads Triton

    try:
        with launching_on(device):
            keys, counter = torch.zeros((2, 2), dtype=torch.int64, device=device)
            write_keys[(1,)](keys, counter, len(keys), LANES=32)
    except torch.OutOfMemoryError:
        raise  # says nothing of the kernels
    except Exception as error:  # noqa: BLE001  (compilers and drivers have errors of their own)
        what = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        warnings.warn(
            f"Triton cannot build kernels here ({what}), {SLOWER}; it needs a C compiler, and the "
            "headers of Python and the driver",
            NegSampWarning,
            stacklevel=2,
        )
        return False
    return True


@cache
def _has_triton() -> bool:
    if find_spec("triton") is not None:
        return True
    warnings.warn(
        f"Triton is not installed, {SLOWER}; pip install triton",
        NegSampWarning,
        stacklevel=2,
    )
    return False
