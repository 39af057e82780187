"""PyKEEN's negative sampler with its two filterers, on triples (user, interacts, item)."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import torch

from benchmarks.checks import wrong_draws
from benchmarks.problems import Problem
from benchmarks.work import Contender, NotMeasuredError, Work

__all__ = ["CONTENDERS"]


def prepare(problem: Problem, filterer: str) -> Work:
    """Prepare the corruption of tails; draws that the filterer rejects are repeated.

    PyKEEN itself keeps rejected draws and returns a mask. Entities count from 0.
    """
    setting = problem.setting
    if setting.exclude != "interactions":
        raise NotMeasuredError("its filterers always exclude all items of the user")
    interactions = problem.interactions
    users = np.repeat(np.arange(interactions.num_users), np.diff(interactions.offsets))
    sampler = import_module("pykeen.sampling").BasicNegativeSampler(
        mapped_triples=torch.from_numpy(_triples(users, interactions.item_ids)),
        num_entities=setting.num_items,
        num_relations=1,
        num_negs_per_pos=setting.num_negatives,
        filtered=True,
        filterer=filterer,
        corruption_scheme=("tail",),
    )
    positives = torch.from_numpy(_triples(problem.users, problem.targets))

    def run() -> Any:
        negatives, valid = sampler.sample(positives)
        row, draw = (~valid).nonzero(as_tuple=True)
        while len(row):
            again, valid = sampler.sample(positives[row])
            negatives[row, draw] = again[:, 0]
            row, draw = row[~valid[:, 0]], draw[~valid[:, 0]]
        return negatives[..., 2] + 1

    return Work(run, partial(wrong_draws, problem))


def _triples(users: Any, item_ids: Any) -> Any:
    return np.stack([users, np.zeros_like(users), item_ids - 1], axis=1).astype(np.int64)


NOTE = "BasicNegativeSampler; it returns a mask of rejected negatives, which are redrawn here"
CONTENDERS = tuple(
    Contender(f"PyKEEN, {name}", "peer", ("uniform",), partial(prepare, filterer=filterer), NOTE)
    for name, filterer in (("Bloom filter", "bloom"), ("Python set", "pythonset"))
)
