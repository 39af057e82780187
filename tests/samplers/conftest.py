"""The backends under test, each behind a small adapter."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest


@dataclass(frozen=True)
class Adapter:
    """Lets tests use any backend in the same way.

    Attributes
    ----------
    name : str
        The value for ``backend=``.
    array : callable
        Converts a NumPy array to one of the framework.
    numpy : callable
        Converts an array of the framework to NumPy.
    fused : bool
        Whether to draw with the Triton kernels.
    """

    name: str
    array: Callable[[Any], Any]
    numpy: Callable[[Any], npt.NDArray[Any]]
    fused: bool = False


def numpy_adapter() -> Adapter:
    return Adapter("numpy", np.asarray, np.asarray)


def torch_adapter(device: str = "cpu") -> Adapter:
    import torch

    def array(values: Any) -> Any:
        return None if values is None else torch.tensor(np.asarray(values), device=device)

    return Adapter("torch", array, lambda tensor: tensor.cpu().numpy())


def tensorflow_adapter() -> Adapter:
    import tensorflow as tf

    def array(values: Any) -> Any:
        return None if values is None else tf.constant(np.asarray(values))

    return Adapter("tensorflow", array, lambda tensor: tensor.numpy())


def cuda_adapter() -> Adapter:
    return torch_adapter("cuda")


def fused_adapter() -> Adapter:
    return replace(torch_adapter(), fused=True)


def numba_adapter() -> Adapter:
    return Adapter("numba", np.asarray, np.asarray)


def numba_on_tensors_adapter() -> Adapter:
    return replace(torch_adapter(), name="numba")


ADAPTERS = {
    "numpy": numpy_adapter,
    "numba": numba_adapter,
    "numba-torch": numba_on_tensors_adapter,
    "tensorflow": tensorflow_adapter,
    "torch": torch_adapter,
    "torch-triton": fused_adapter,
    "torch-cuda": cuda_adapter,
}


def missing(name: str) -> str | None:
    """Return why a backend cannot be tested here, or None if it can."""
    for framework in name.removesuffix("-cuda").split("-"):
        if find_spec(framework) is None:
            return f"{framework} is not installed"
    if name == "torch-triton" and os.environ["TRITON_INTERPRET"] != "1":
        return "Triton compiles here instead of interpreting"
    if name.endswith("cuda"):
        import torch

        return None if torch.cuda.is_available() else "no CUDA device"
    return None


def backends_under_test() -> list[str]:
    """Return the backends in NEGSAMP_TEST_BACKENDS, by default all that work here."""
    listed = os.environ.get("NEGSAMP_TEST_BACKENDS")
    return listed.split(",") if listed else [name for name in ADAPTERS if not missing(name)]


@pytest.fixture(params=backends_under_test(), scope="session")
def backend(request: pytest.FixtureRequest) -> Adapter:
    """Each backend in turn; one that was requested and does not work fails."""
    name: str = request.param
    if name not in ADAPTERS:
        pytest.fail(
            f"unknown backend {name!r} in NEGSAMP_TEST_BACKENDS; known: {', '.join(ADAPTERS)}"
        )
    if (problem := missing(name)) is not None:
        pytest.fail(f"{name}: {problem}")
    return ADAPTERS[name]()


@pytest.fixture(autouse=True)
def chosen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let "auto" select the backend under test."""
    if "backend" in request.fixturenames:
        adapter = request.getfixturevalue("backend")
        monkeypatch.setenv("NEGSAMP_BACKEND", adapter.name)
        if adapter.fused:
            monkeypatch.setattr("negsamp_torch.TorchBackend.fused", True)
        if adapter.name == "torch":  # tests expect errors in the call itself
            monkeypatch.setattr("negsamp_torch.TorchBackend.deferred", False)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect slow tests of interpreted kernels; NEGSAMP_TEST_BACKENDS=torch-triton runs all."""
    if "NEGSAMP_TEST_BACKENDS" in os.environ:
        return
    slow = [
        item for item in items if "torch-triton" in item.name and item.path.stem != "test_bad_input"
    ]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


def pytest_report_header() -> str:
    """List the backends under test, and why others are not."""
    left_out = [
        f"{name} ({missing(name)})" for name in ADAPTERS if name not in backends_under_test()
    ]
    note = f"; left out: {', '.join(left_out)}" if left_out else ""
    return f"negsamp backends under test: {', '.join(backends_under_test())}{note}"
