"""The cases: settings that are measured together, their contenders and number of threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from itertools import product
from typing import Any, Literal

from benchmarks.contenders import taking_part
from benchmarks.contenders.bare_products import PRODUCT
from benchmarks.contenders.tensorflow_graphs import COMPILED, GRAPH
from benchmarks.contenders.tensorflow_matrix import CATEGORICAL
from benchmarks.contenders.torch_matrix import SOFTMAX
from benchmarks.settings import Draw, Epoch, Law, Setting
from benchmarks.work import Contender

__all__ = ["Case", "all_cases", "select"]


@dataclass(frozen=True)
class Case:
    """Settings that are measured in one process with a given number of threads.

    Attributes
    ----------
    name, about : str
        A short name for files and ``--only``, and a line for the report.
    settings : tuple of Setting
        Settings with the same inputs are adjacent, and are measured interleaved.
    contenders : tuple of str
        Names or roles of the contenders that take part; empty for all.
    threads : int
        Threads that each contender may use.
    axis : str or None
        The field that grows over the settings, or "threads"; None if none does.
    measure : {"time", "memory"}
        What is measured; each memory measurement has its own process.
    """

    name: str
    about: str
    settings: tuple[Setting, ...]
    contenders: tuple[str, ...] = ()
    threads: int = 2
    axis: str | None = None
    measure: Literal["time", "memory"] = "time"

    @property
    def key(self) -> str:
        """Name of the result file."""
        return f"{self.name}-threads-{self.threads}"

    def pairs(self) -> list[tuple[Setting, Contender]]:
        """Return the pairs of setting and contender to measure, in the order of settings."""
        return [
            (setting, contender)
            for setting in self.settings
            for contender in taking_part(setting, self.contenders)
        ]

    def quick(self) -> Case:
        """Return the case with small settings, on one thread."""
        settings = dict.fromkeys(each.quick() for each in self.settings)
        return replace(self, settings=tuple(settings), threads=1)


def grid(kind: type[Setting], **values: Any) -> tuple[Setting, ...]:
    """Return one setting per combination of values; a value that is not a tuple is constant."""
    choices = [value if isinstance(value, tuple) else (value,) for value in values.values()]
    return tuple(kind(**dict(zip(values, chosen, strict=True))) for chosen in product(*choices))


def genni(**values: Any) -> tuple[Setting, ...]:
    """Return the GenNi draws of all combinations of values."""
    return grid(Draw, law="genni", **values)


def all_cases(backend: str) -> list[Case]:
    """Return all cases, fewest threads first.

    Parameters
    ----------
    backend : str
        The backend that has to meet the bars: it is measured in every case, others in some.
    """
    cases = [*_draws_by_score(backend), *_draws_by_weight(), *_epochs(backend), *_growths(backend)]
    cases += [_memory(backend), *_tensorflow()]
    return sorted(cases, key=lambda case: case.threads)


def select(cases: Sequence[Case], patterns: Sequence[str]) -> list[Case]:
    """Return the cases whose name or key matches one of the patterns, all if there is none.

    Raises
    ------
    ValueError
        If a pattern matches no case.
    """

    def matches(case: Case, pattern: str) -> bool:
        return fnmatch(case.name, pattern) or fnmatch(case.key, pattern)

    for pattern in patterns:
        if not any(matches(case, pattern) for case in cases):
            known = ", ".join(dict.fromkeys(case.name for case in cases))
            raise ValueError(f"no case matches {pattern!r}; cases: {known}")
    return [c for c in cases if not patterns or any(matches(c, pattern) for pattern in patterns)]


def _draws_by_score(backend: str) -> list[Case]:
    ours = f"negsamp {backend}"
    kinds: dict[str, Any] = {
        "beta": (1.0, 0.1),
        "num_negatives": (1, 10),
        "exclude": ("target", "interactions"),
    }
    batch = genni(rows=1_500, num_items=12_101, **kinds)
    shapes = [(1_500, 12_101, 256), (12_800, 12_101, 64), (12_800, 12_101, 256)]
    shapes += [(1_500, 100_000, 64), (1_500, 100_000, 256), (12_800, 100_000, 64)]
    shapes += [(1_500, 1_000_000, 64)]
    sizes = tuple(Draw("genni", *shape) for shape in shapes)
    every = genni(
        rows=(1_500, 12_800), num_items=(12_101, 100_000, 1_000_000), dim=(64, 256), **kinds
    )
    about = "A small batch with the paper's sizes: each combination of beta, k and exclusion."
    return [
        Case("genni-batch", about, batch, threads=1),
        Case("genni-batch", about, batch),
        Case(
            "genni-sizes",
            "Larger batches, catalogues and embeddings, with the contenders that fit.",
            sizes,
            tuple(dict.fromkeys([ours, "negsamp torch", "reference", "peer"])),
        ),
        Case(
            "genni-grid",
            "All combinations of sizes, beta, k and exclusion.",
            every,
            (ours, PRODUCT),
        ),
    ]


def _draws_by_weight() -> list[Case]:
    laws: dict[Law, str] = {
        "uniform": "Uniform negatives, all items of the row's user excluded.",
        "popularity": "Negatives by popularity ** 0.75, all items of the row's user excluded.",
    }
    cases = []
    for law, about in laws.items():
        common = {"law": law, "rows": 12_800, "exclude": "interactions"}
        small = grid(Draw, num_items=12_101, num_negatives=(1, 10), **common)
        large = grid(Draw, num_items=1_000_000, **common)
        cases += [Case(law, about, (*small, *large), threads=1), Case(law, about, small)]
    return cases


def _epochs(backend: str) -> list[Case]:
    def epochs(dataset: str) -> tuple[Setting, ...]:
        return (
            *grid(Epoch, dataset=dataset, law=("uniform", "popularity")),
            *grid(Epoch, dataset=dataset, law="genni", beta=(1.0, 0.1)),
        )

    return [
        Case(
            "epoch-synthetic",
            "An epoch of SASRec on the embedded data, with each sampler.",
            epochs("synthetic"),
        ),
        Case(
            "epoch-beauty",
            "An epoch of SASRec on Amazon Beauty, 128,031 targets, with each sampler.",
            epochs("Beauty"),
            (f"negsamp {backend}",),
        ),
    ]


def _growths(backend: str) -> list[Case]:
    few = (f"negsamp {backend}", PRODUCT)
    peers = (*few, "negsamp torch", SOFTMAX)
    items = genni(rows=128, num_items=(1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000))
    negatives = genni(rows=512, num_items=12_101, num_negatives=(1, 4, 16, 64, 256))
    rows = genni(rows=(16, 64, 256, 1_024, 4_096), num_items=12_101)
    large = genni(rows=4_096, num_items=12_101)
    return [
        Case("growth-items", "By number of items.", items, peers, axis="num_items"),
        Case(
            "growth-negatives",
            "By number of negatives per row.",
            negatives,
            peers,
            axis="num_negatives",
        ),
        Case("growth-rows", "By number of rows.", rows, peers, axis="rows"),
    ] + [
        Case("growth-threads", "By number of threads.", large, few, n, axis="threads")
        for n in (1, 2, 4, 8, 16)
    ]


def _memory(backend: str) -> Case:
    return Case(
        "memory",
        "Peak resident memory above the inputs, each contender in its own process.",
        (*genni(rows=12_800, num_items=(12_101, 1_000_000)), *genni(rows=256, num_items=10**7)),
        (f"negsamp {backend}", "peer"),
        measure="memory",
    )


def _tensorflow() -> list[Case]:
    setting = genni(rows=1_500, num_items=12_101)
    contenders = ("negsamp tensorflow", GRAPH, COMPILED, CATEGORICAL)
    about = "Eager, traced and compiled by XLA, compared with tf.random.categorical."
    peak = "Peak resident memory above the inputs, inside TensorFlow."
    return [
        Case("tensorflow", about, setting, (*contenders, PRODUCT)),
        Case("tensorflow-memory", peak, setting, contenders, measure="memory"),
    ]
