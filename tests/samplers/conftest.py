"""The backends under test, each behind one small adapter."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest


@dataclass(frozen=True)
class Adapter:
    """How a test speaks to a backend.

    Attributes
    ----------
    name : str
        What ``backend=`` takes.
    array : callable
        Makes the framework's array of a NumPy array.
    numpy : callable
        The way back.
    """

    name: str
    array: Callable[[Any], Any]
    numpy: Callable[[Any], npt.NDArray[Any]]


def numpy_adapter() -> Adapter:
    return Adapter("numpy", np.asarray, np.asarray)


def torch_adapter(device: str = "cpu") -> Adapter:
    import torch

    def array(values: Any) -> Any:
        return None if values is None else torch.tensor(np.asarray(values), device=device)

    return Adapter("torch", array, lambda tensor: tensor.cpu().numpy())


def cuda_adapter() -> Adapter:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return torch_adapter("cuda")


ADAPTERS = {"numpy": numpy_adapter, "torch": torch_adapter, "torch-cuda": cuda_adapter}
FRAMEWORKS = {"numpy": "numpy", "torch": "torch", "torch-cuda": "torch"}


@pytest.fixture(params=ADAPTERS, scope="session")
def backend(request: pytest.FixtureRequest) -> Adapter:
    """Each backend; one that NEGSAMP_TEST_BACKENDS names and that is missing fails."""
    required = os.environ.get("NEGSAMP_TEST_BACKENDS", "numpy").split(",")
    if find_spec(FRAMEWORKS[request.param]) is None:
        message = f"{FRAMEWORKS[request.param]} is not installed"
        if request.param in required or os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return ADAPTERS[request.param]()
