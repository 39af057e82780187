"""The library itself, with each of its backends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import numpy as np

from benchmarks.checks import wrong_draws
from benchmarks.contenders.tensorflow_matrix import load_tensorflow
from benchmarks.problems import Problem
from benchmarks.work import Contender, Place, Work, as_it_is
from negsamp import DotProduct, GenNi, Popularity, Sampler, Uniform

__all__ = ["BACKENDS", "CONTENDERS", "arguments_of", "build_sampler", "prepare"]

BACKENDS = tuple(sorted(point.name for point in entry_points(group="negsamp.backends")))
"""Installed backends; the framework of one may be missing."""
ARRAYS: dict[str, Callable[[], Callable[[Any], Any]]] = {
    "torch": lambda: import_module("torch").from_numpy,
    "tensorflow": lambda: load_tensorflow().constant,
}
"""For backends that do not take NumPy arrays, loaders of the function that converts them."""


def build_sampler(problem: Problem, backend: str) -> Sampler:
    """Build the sampler of a setting."""
    setting = problem.setting
    common: dict[str, Any] = {"num_negatives": setting.num_negatives, "backend": backend}
    if setting.exclude == "interactions":
        common["interactions"] = problem.interactions
    if setting.law == "uniform":
        return Uniform(problem.catalogue, **common)
    if setting.law == "popularity":
        return Popularity(problem.counts, items=problem.catalogue, **common)
    return GenNi(problem.catalogue, beta=setting.beta, **common)


def arguments_of(problem: Problem, backend: str, place: Place = as_it_is) -> dict[str, Any]:
    """Return the arguments of ``sample``, as arrays of the backend's framework."""
    make = ARRAYS[backend]() if backend in ARRAYS else np.asarray

    def array(values: Any) -> Any:
        return place(make(values))

    excludes, scores = problem.setting.exclude == "interactions", problem.setting.law == "genni"
    return {
        "targets": array(problem.targets),
        "users": array(problem.users) if excludes else None,
        "score": DotProduct(array(problem.queries), array(problem.items)) if scores else None,
    }


def prepare(problem: Problem, backend: str, place: Place = as_it_is) -> Work:
    """Prepare one call of ``sample``."""
    sampler, arguments = build_sampler(problem, backend), arguments_of(problem, backend, place)

    def run() -> Any:
        return sampler.sample(**arguments).item_ids

    return Work(run, partial(wrong_draws, problem))


CONTENDERS = tuple(
    Contender(
        f"negsamp {backend}",
        "ours",
        ("genni", "uniform", "popularity"),
        partial(prepare, backend=backend),
    )
    for backend in BACKENDS
)
