"""How the backend of a call is found, and what is said where it is not there or broken."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from negsamp import BackendNotInstalledError, ConfigError, InvalidInputError, Uniform
from negsamp.backend import discovery

ITEMS = range(1, 11)
TARGETS = np.array([[1, 2, 3], [4, 5, 6]])


def test_a_missing_framework_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    point = importlib.metadata.EntryPoint("torch", "no_such_framework:Backend", "negsamp.backends")
    monkeypatch.setattr(discovery, "_entry_points", lambda: {"torch": point})
    sampler = Uniform(ITEMS, backend="torch")
    with pytest.raises(BackendNotInstalledError, match=r'pip install "negsamp\[torch\]"') as caught:
        sampler.sample(TARGETS)
    assert caught.value.name == "no_such_framework"
    assert isinstance(caught.value, ImportError)
    assert discovery.available_backends() == ()


BROKEN = {
    "raises": ("raise AttributeError('no module has attribute x')", "AttributeError: no module"),
    "refuses": ("raise TypeError('of another version')", "TypeError: of another version"),
    "lacks": ("", "AttributeError: .*'Backend'"),
    "misses": ("import no_such_module", "ModuleNotFoundError: .*'no_such_module'"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_backend_takes_nothing_down_with_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: str
) -> None:
    code, problem = BROKEN[broken]
    (tmp_path / f"broken_{broken}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    points = {"numpy": discovery._entry_points()["numpy"]}
    for name in ("numba", "mine"):
        value = f"broken_{broken}:Backend"
        points[name] = importlib.metadata.EntryPoint(name, value, "negsamp.backends")
    monkeypatch.setattr(discovery, "_entry_points", lambda: points)
    monkeypatch.setattr(discovery, "_is_compiled", discovery._is_compiled.__wrapped__)
    monkeypatch.delenv("NEGSAMP_BACKEND", raising=False)
    assert isinstance(Uniform(ITEMS).sample(TARGETS).item_ids, np.ndarray)
    assert discovery.available_backends() == ("numpy",)
    mine, numba, _ = (report.problem or "" for report in discovery.report_backends())
    assert ("pip install" in numba, "pip install" in mine) == (broken == "misses", False)
    message = rf"^backend 'mine' cannot be imported \({problem}.*\)$"
    with pytest.raises(BackendNotInstalledError, match=message):
        Uniform(ITEMS, backend="mine").sample(TARGETS)


def test_arrays_of_two_frameworks_or_of_none_that_is_known() -> None:
    foreign = type("Array", (), {"__module__": "jax.numpy", "shape": (2, 3)})()
    with pytest.raises(ConfigError, match=r"no backend for arrays of 'jax'; backends: .*numpy"):
        Uniform(ITEMS).sample(foreign)
    other = type("Array", (), {"__module__": "torch", "shape": (2, 3)})()
    with pytest.raises(ConfigError, match="different frameworks in one call: jax, torch"):
        Uniform(ITEMS).sample(foreign, users=other)


def test_a_backend_is_found_by_the_package_of_its_arrays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Which need not be named as it is: JAX's arrays are from jaxlib."""
    views: list[Any] = [
        TARGETS.view(type("Array", (np.ndarray,), {"__module__": f"{package}.core"}))
        for package in ("jaxlib", "other")
    ]
    of_jax, of_other = views
    with pytest.raises(ConfigError, match="no backend for arrays of 'jaxlib'"):
        Uniform(ITEMS).sample(of_jax)
    with pytest.raises(InvalidInputError, match=r"'numpy' takes .* of jaxlib: convert the array$"):
        Uniform(ITEMS, backend="numpy").sample(of_jax)
    published = tmp_path / "negsamp_jax-1.0.dist-info"
    published.mkdir()
    (published / "METADATA").write_text("Metadata-Version: 2.1\nName: negsamp-jax\nVersion: 1.0\n")
    (published / "entry_points.txt").write_text(
        "[negsamp.backends]\njax = negsamp_jax:JaxBackend\n[negsamp.arrays]\njaxlib = jax\n"
    )
    (tmp_path / "negsamp_jax.py").write_text(
        "from negsamp_numpy import NumpyBackend\n"
        "class JaxBackend(NumpyBackend):\n"
        "    name = 'jax'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("_entry_points", "_owners"):
        monkeypatch.setattr(discovery, name, getattr(discovery, name).__wrapped__)
    found, expected = Uniform(ITEMS).sample(of_jax), Uniform(ITEMS, backend="numpy").sample(TARGETS)
    np.testing.assert_array_equal(found.item_ids, expected.item_ids)
    with pytest.raises(InvalidInputError, match=r"backend 'jax' takes NumPy .* of other: convert"):
        Uniform(ITEMS, backend="jax").sample(of_other)
    with pytest.raises(InvalidInputError, match=r"'numpy' takes .* of jax: use backend='auto', or"):
        Uniform(ITEMS, backend="numpy").sample(of_jax)


def test_the_environment_names_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEGSAMP_BACKEND", "nmpy")
    with pytest.raises(ConfigError, match=r"NEGSAMP_BACKEND: unknown backend 'nmpy'; .*'numpy'"):
        Uniform(ITEMS).sample(TARGETS)
    monkeypatch.setenv("NEGSAMP_BACKEND", "numpy")
    assert isinstance(Uniform(ITEMS).sample(TARGETS).item_ids, np.ndarray)
