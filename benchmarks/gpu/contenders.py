"""Contenders on the device: the library, the usual way in torch, and the references."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from benchmarks.checks import wrong_draws, wrong_scores
from benchmarks.contenders import ours
from benchmarks.contenders.torch_matrix import softmax_multinomial
from benchmarks.gpu.arithmetic import Rates
from benchmarks.gpu.device import Device
from benchmarks.problems import Problem
from benchmarks.work import Contender, Place, Work
from negsamp_torch import capturable

__all__ = [
    "ARITHMETIC",
    "BY_WEIGHT",
    "DTYPES",
    "PRODUCT",
    "as_graph",
    "contenders",
    "library",
    "matrix",
]

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
BY_WEIGHT = "negsamp"
PRODUCT = "bare product, bfloat16"
ARITHMETIC = "arithmetic alone"
BFLOAT16_TOLERANCE = 0.1
"""Largest absolute error of scores with standard deviation 2 in bfloat16 (8 significant bits)."""


def library(dtype: str) -> str:
    """Return the name of the library with queries and items in a dtype."""
    return f"negsamp, {dtype}"


def as_graph(dtype: str) -> str:
    """Return the name of the library's draw as a CUDA graph, which costs the host next to nothing.

    Where it is faster than the call, the device waits for Python.
    """
    return f"{library(dtype)}, CUDA graph"


def matrix(dtype: str) -> str:
    """Return the name of the peer that builds the matrix of scores, in a dtype."""
    return f"matmul + softmax + multinomial, {dtype}"


def contenders(device: Device, rates: Rates | None) -> list[Contender]:
    """Return all contenders; "arithmetic alone" only if its rates are known."""
    places = {name: device.place(dtype) for name, dtype in DTYPES.items()}
    draw = partial(ours.prepare, backend="torch")
    found = [
        Contender(
            BY_WEIGHT, "ours", ("uniform", "popularity"), partial(draw, place=places["float32"])
        ),
        *(
            Contender(library(name), "ours", ("genni",), partial(draw, place=place))
            for name, place in places.items()
        ),
        *(
            Contender(
                matrix(name),
                "peer",
                ("genni",),
                partial(softmax_multinomial, place=place),
                "torch.matmul, torch.softmax, torch.multinomial",
                holds_scores=True,
            )
            for name, place in places.items()
        ),
        Contender(
            PRODUCT,
            "reference",
            ("genni",),
            partial(bare_product, device=device),
            "torch.mm into a matrix that is there",
            holds_scores=True,
            draws=False,
        ),
    ]
    if device.name == "cuda":
        found += [
            Contender(as_graph(name), "ours", ("genni",), partial(replayed, place=place))
            for name, place in places.items()
        ]
    if rates is not None:
        found.append(
            Contender(
                ARITHMETIC,
                "reference",
                ("genni",),
                partial(arithmetic_alone, rates=rates),
                "the longer of products and exponentials, each at the rate measured for it",
                draws=False,
            )
        )
    return found


def replayed(problem: Problem, place: Place) -> Work:
    """Capture one draw as a CUDA graph, and replay it."""
    arguments = ours.arguments_of(problem, "torch", place)
    draw = capturable(ours.build_sampler(problem, "torch"), arguments["targets"].device)
    graph, aside = torch.cuda.CUDAGraph(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        draw(**arguments)  # compiles
    with torch.cuda.graph(graph, stream=aside):
        drawn = draw(**arguments).item_ids

    def run() -> Any:
        graph.replay()
        return drawn

    def wrong(item_ids: Any) -> str | None:
        draw.settle()
        return wrong_draws(problem, item_ids)

    return Work(run, wrong)


def bare_product(problem: Problem, device: Device) -> Work:
    """Multiply queries and items into a preallocated matrix."""
    place = device.place(torch.bfloat16)
    queries, table = (place(torch.from_numpy(each)) for each in (problem.queries, problem.items))
    out = torch.empty((len(queries), len(table) - 1), dtype=torch.bfloat16, device=queries.device)

    def run() -> Any:
        return torch.mm(queries, table[1:].T, out=out)

    def wrong(scores: Any) -> str | None:
        return wrong_scores(problem, scores[-1:].float().cpu(), BFLOAT16_TOLERANCE)

    return Work(run, wrong)


def arithmetic_alone(problem: Problem, rates: Rates) -> Work:
    """Return work that runs nothing, and takes the computed time of a draw's arithmetic."""
    setting = problem.setting
    needed = rates.seconds(setting.rows, setting.num_candidates, setting.dim)
    return Work(lambda: None, lambda _: None, seconds=lambda _: needed)
