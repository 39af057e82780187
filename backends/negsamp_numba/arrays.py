"""Conversion of arguments and results; PyTorch's CPU tensors share memory with NumPy arrays.

PyTorch is never imported here: a caller with a tensor has imported it.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from negsamp import validation
from negsamp.backend import check_framework, how_to_avoid
from negsamp.errors import InvalidInputError

__all__ = [
    "as_float32",
    "as_given",
    "bits_of",
    "is_tensor",
    "no_gradient",
    "read_only",
    "to_framework_of",
    "to_numpy",
]

_UNREADABLE = (RuntimeError, TypeError, ValueError)
"""What NumPy and PyTorch raise for values that they cannot convert."""


def is_tensor(array: Any) -> bool:
    """Return whether `array` is a tensor of PyTorch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def as_given(values: Any, like: Any = None) -> Any:
    """Return a tensor detached, and anything else as a NumPy array, or a tensor if `like` is."""
    if is_tensor(values):
        if values.device.type != "cpu":
            raise InvalidInputError(
                f"backend 'numba' takes tensors on the CPU; got one on {values.device}: "
                f"{how_to_avoid('numba')}, or move it"
            )
        return values.detach()
    check_framework("numba", "NumPy arrays and PyTorch tensors", values)
    try:
        return to_framework_of(like, validation.as_native(np.asarray(values)))
    except _UNREADABLE as error:
        raise validation.no_array(values, error) from None


def to_numpy(array: Any) -> npt.NDArray[Any]:
    """Return a NumPy array that shares the memory of `array`; bfloat16 becomes float32.

    A score callable may return anything, such as a tensor on another device: this raises then.
    """
    try:
        if not is_tensor(array):
            return np.asarray(array)
        array = array.detach()
        return np.asarray((array.float() if "bfloat16" in str(array.dtype) else array).numpy())
    except _UNREADABLE as error:
        raise validation.no_array(array, error) from None


def as_float32(numbers: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return numbers as contiguous float32; overflow becomes inf, which block masses show."""
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32, order="C", copy=False)


def bits_of(tensor: Any) -> npt.NDArray[np.uint16]:
    """Return the bits of a bfloat16 tensor, without a copy."""
    return np.asarray(tensor.detach().view(sys.modules["torch"].int16).numpy()).view(np.uint16)


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a read-only view: kernels are compiled for one array type, whatever is passed."""
    view = array.view()
    view.flags.writeable = False
    return view


def to_framework_of(like: Any, array: npt.NDArray[Any]) -> Any:
    """Return `array` as a tensor that shares its memory if `like` is a tensor."""
    if not is_tensor(like):
        return array
    return sys.modules["torch"].from_numpy(array if array.flags.writeable else array.copy())


def no_gradient() -> AbstractContextManager[Any]:
    """Return ``torch.no_grad()`` if PyTorch is imported, else a context that does nothing."""
    torch = sys.modules.get("torch")
    return nullcontext() if torch is None else torch.no_grad()
