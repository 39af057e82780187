"""Calls of a sampler made up by Hypothesis, and what their law is, written out by loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from negsamp import DotProduct, GenNi, Interactions, Popularity, Sampler, Uniform


@dataclass(frozen=True)
class Case:
    """One call: the sampler's arguments and those of ``sample``, in NumPy."""

    kind: str
    items: range
    num_negatives: int
    replacement: bool
    alpha: float
    beta: float
    candidates: Any
    gamma: float
    counts: npt.NDArray[np.int64]
    interactions: list[list[int]] | None
    seed: int
    targets: npt.NDArray[np.int64]
    users: npt.NDArray[np.int64]
    mask: npt.NDArray[np.bool_] | None
    exclude: npt.NDArray[np.int64] | None
    queries: npt.NDArray[np.float32]
    embeddings: npt.NDArray[np.float32]
    called: bool

    def sampler(self, backend: str = "auto", **changes: Any) -> Sampler:
        """Build the sampler."""
        shared = {
            "num_negatives": self.num_negatives,
            "interactions": None
            if self.interactions is None
            else Interactions.from_sequences(self.interactions),
            "replacement": self.replacement,
            "backend": backend,
            "seed": self.seed,
        } | changes
        if self.kind == "uniform":
            return Uniform(self.items, **shared)
        if self.kind == "popularity":
            return Popularity(self.counts, self.gamma, self.items, **shared)
        scored = {"alpha": self.alpha, "beta": self.beta, "candidates": self.candidates}
        return GenNi(self.items, **scored | shared)

    def arguments(self, array: Any = np.asarray) -> dict[str, Any]:
        """Return the arguments of ``sample``, in the framework's arrays."""
        dot_product = DotProduct(array(self.queries), array(self.embeddings))
        score: Any = _called(dot_product) if self.called else dot_product
        optional = {"mask": self.mask, "exclude": self.exclude}
        return {
            "targets": array(self.targets),
            "score": score,
            "users": array(self.users),
        } | {name: array(value) for name, value in optional.items() if value is not None}

    def forbidden(self, row: int) -> set[int]:
        """Return the ids that a row must not draw."""
        ids = {int(self.targets.reshape(-1)[row])}
        if self.interactions is not None:
            user = int(self.users[np.unravel_index(row, self.targets.shape)[: self.users.ndim]])
            ids |= set(self.interactions[user])
        if self.exclude is not None:
            ids |= set(self.exclude.reshape(self.targets.size, -1)[row].tolist())
        return ids

    def kept(self, row: int) -> bool:
        """Return whether a row is sampled."""
        return self.mask is None or bool(self.mask.reshape(-1)[row])

    def law(self, row: int, subset: set[int] | None = None) -> dict[int, float]:
        """Return the probability of each admissible id, pre-selected ones only if given."""
        admissible = [
            item
            for item in self.items
            if item not in self.forbidden(row) and (subset is None or item in subset)
        ]
        if self.kind == "uniform" or (self.kind == "genni" and self.alpha == 0):
            logs = [0.0] * len(admissible)
        elif self.kind == "popularity":
            admissible = [item for item in admissible if self.counts[item] > 0]
            logs = [self.gamma * math.log(self.counts[item]) for item in admissible]
        else:
            query = self.queries.reshape(self.targets.size, -1)[row].astype(np.float64)
            scores = self.embeddings.astype(np.float64) @ query
            logs = [self.alpha * float(scores[item]) for item in admissible]
        highest = max(logs, default=0.0)
        weights = [math.exp(each - highest) for each in logs]
        total = math.fsum(weights)
        return {item: each / total for item, each in zip(admissible, weights, strict=True)}


def _called(score: DotProduct) -> Callable[[Any], Any]:
    """Return a callable that is no DotProduct and scores alike."""
    if hasattr(score.queries, "reshape"):
        return score.__call__
    import tensorflow as tf

    queries = tf.reshape(score.queries, [-1, score.queries.shape[-1]])
    return lambda ids: tf.matmul(queries, tf.gather(score.items, ids), transpose_b=True)


@st.composite
def cases(
    draw: st.DrawFn,
    kinds: tuple[str, ...] = ("uniform", "popularity", "genni"),
    max_items: int = 300,
    scales: tuple[float, ...] = (0.0, 0.5, 3.0, 1e4),
) -> Case:
    """Make a call in which every row has enough admissible items."""
    num_items = draw(st.integers(2, max_items))
    items = range(start := draw(st.sampled_from([0, 1, 7])), start + num_items)
    shape = draw(st.sampled_from([(), (0,), (1,), (5,), (3, 4), (2, 1, 3)]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    num_users, users_ndim = 4, draw(st.integers(0, len(shape)))
    candidates = draw(st.sampled_from(["batch", "query"]))
    beta = draw(st.sampled_from([1.0, 1.0, 0.6, 0.3]))
    beta = beta if beta * num_items >= 2 else 1.0
    budget = int(beta * num_items) - 1  # what may be excluded or drawn besides the target
    few = budget // 3
    interactions = None
    if draw(st.booleans()):
        interactions = [
            random.choice(items, random.integers(0, min(few, 40) + 1), replace=False).tolist()
            for _ in range(num_users)
        ]
    exclude = None
    if draw(st.booleans()):
        exclude = random.choice([-1, *items], (*shape, min(few, draw(st.integers(0, 3)))))
    replacement = draw(st.booleans())
    left = budget - 2 * few
    counts = random.integers(0, 5, items.stop)
    if interactions is not None or exclude is not None or not replacement:
        counts += 1
    counts[items.start] = counts[items.stop - 1] = 3
    return Case(
        kind=draw(st.sampled_from(kinds)),
        items=items,
        num_negatives=draw(st.integers(1, 4 if replacement else min(left, 4))),
        replacement=replacement,
        alpha=draw(st.sampled_from([0.0, 0.3, 1.0, 2.5])),
        beta=beta,
        candidates=candidates,
        gamma=draw(st.sampled_from([0.0, 0.75, 1.5])),
        counts=counts,
        interactions=interactions,
        seed=draw(st.integers(0, 2**64 - 1)),
        targets=np.asarray(random.choice(items, shape)),
        users=np.asarray(random.integers(0, num_users, shape[:users_ndim])),
        mask=np.asarray(random.random(shape) < 0.7) if draw(st.booleans()) else None,
        exclude=exclude,
        queries=random.normal(size=(*shape, 5)).astype(np.float32)
        * np.float32(draw(st.sampled_from(scales))),
        embeddings=random.normal(size=(items.stop, 5)).astype(np.float32),
        called=draw(st.booleans()) and not (candidates == "query" and beta < 1),
    )
