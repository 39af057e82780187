"""Made-up users, as lists, as a data set and as a file; a sampler with schedules."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from negsamp_models.datasets import Dataset, Sequences

NUM_ITEMS = 20
GENNI: dict[str, Any] = {
    "sampler": "genni",
    "alpha": {"schedule": "loss_driven", "initial": 1.0, "step": 0.125},
    "beta": {"schedule": "exponential", "m": 2, "initial": 0.2},
    "num_negatives": 2,
}


def users_of(
    seed: int, num_users: int = 60, num_items: int = NUM_ITEMS, lengths: tuple[int, int] = (5, 12)
) -> list[list[int]]:
    """Return a list of distinct items for each user; the upper length is exclusive."""
    random = np.random.default_rng(seed)
    each = [
        random.permutation(num_items)[: random.integers(*lengths)] + 1 for _ in range(num_users)
    ]
    return [items.tolist() for items in each]


def tiny_dataset(seed: int) -> Dataset:
    """Return a data set of 60 users and 20 items."""
    return Dataset("tiny", Sequences.from_lists(users_of(seed)), NUM_ITEMS)


def write_data(path: Path, lists: Iterable[Iterable[int]]) -> None:
    """Write a sequence file, one user per line."""
    lines = [" ".join(map(str, [user, *items])) for user, items in enumerate(lists, 1)]
    path.write_text("\n".join(lines) + "\n")
