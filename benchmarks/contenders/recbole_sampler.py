"""RecBole's sampler, uniform and by popularity, which excludes all items of the user."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from benchmarks.checks import wrong_draws
from benchmarks.problems import Problem
from benchmarks.work import Contender, NotMeasuredError, Work

__all__ = ["CONTENDERS"]


def stand_in(problem: Problem) -> SimpleNamespace:
    """Return an object with the attributes of a dataset that ``recbole.sampler.Sampler`` reads.

    Users and items count from 1 in RecBole; its user_num and item_num include the padding.
    """
    interactions = problem.interactions
    users = np.repeat(np.arange(interactions.num_users), np.diff(interactions.offsets))
    return SimpleNamespace(
        uid_field="user",
        iid_field="item",
        user_num=interactions.num_users + 1,
        item_num=problem.catalogue.stop,
        inter_feat={
            "user": torch.from_numpy(users + 1),
            "item": torch.from_numpy(interactions.item_ids.astype(np.int64)),
        },
    )


def prepare(problem: Problem, distribution: str) -> Work:
    """Prepare one call of ``sample_by_user_ids``."""
    setting = problem.setting
    if setting.exclude != "interactions":
        raise NotMeasuredError("always excludes all items of the user")
    sampler_class = import_module("recbole.sampler.sampler").Sampler
    sampler = sampler_class("train", stand_in(problem), distribution, alpha=0.75)
    sampler = sampler.set_phase("train")
    users, targets = problem.users + 1, problem.targets

    def run() -> Any:
        drawn = sampler.sample_by_user_ids(users, targets, setting.num_negatives)
        return drawn.reshape(setting.num_negatives, setting.rows).T

    return Work(run, partial(wrong_draws, problem))


NOTE = "recbole.sampler.Sampler on a stand-in for its dataset; one thread"
CONTENDERS = tuple(
    Contender(
        f"RecBole {distribution}",
        "peer",
        (distribution,),
        partial(prepare, distribution=distribution),
        NOTE,
    )
    for distribution in ("uniform", "popularity")
)
