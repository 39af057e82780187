"""A catalogue over real processes: the draws of one device, and bytes as derived."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from negsamp import DotProduct
from tests.samplers.ranks import (
    DIM,
    MASK,
    NUM_ROWS,
    QUERIES,
    SEEN,
    TABLE,
    TARGETS,
    USERS,
    distances,
    on_ranks,
    one_device,
    own_distances,
    own_lines,
    sampler_of,
    tensors,
)

torch = pytest.importorskip("torch")

from torch import distributed as dist  # noqa: E402

from negsamp_torch import ShardedDotProduct  # noqa: E402

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "without replacement": {"replacement": False, "num_negatives": 12},
    "candidates": {"beta": 0.3},
    "few candidates": {"beta": 0.05},
    "own candidates": {"beta": 0.3, "candidates": "query"},
    "few of its own": {"beta": 0.05, "candidates": "query", "replacement": False},
    "hard": {"alpha": 30.0},
    "uniform": {"alpha": 0.0, "beta": 0.3},
}

COUNTED: list[tuple[str, dict[str, Any]]] = [
    ("table", {}),
    ("table", {"replacement": False, "num_negatives": 12}),
    ("table", {"beta": 0.3, "candidates": "query"}),
    ("callable", {}),
    ("callable", {"beta": 0.3, "replacement": False, "num_negatives": 2}),
    ("split", {}),
]


def parts(world: int) -> list[slice]:
    """Cut the rows unevenly; of four ranks one has none."""
    cuts = [0, *[20, 20, 55][: world - 1], NUM_ROWS]
    return [slice(*cut) for cut in pairwise(cuts)]


def most_of_a_rank(world: int) -> tuple[int, int]:
    """Return the most rows that a rank samples, and the most exclusions."""
    excluded = [len({*SEEN[user], target}) for user, target in zip(USERS, TARGETS, strict=True)]
    sampled = np.where(MASK, excluded, 0)
    each = [(int(MASK[rows].sum()), int(sampled[rows].sum())) for rows in parts(world)]
    return max(rows for rows, _ in each), max(places for _, places in each)


# What each process does.


def draw_all_cases(rank: int, world: int, folder: Path) -> None:
    found = {}
    for name, changes in CASES.items():
        score = ShardedDotProduct(torch.from_numpy(QUERIES), own_lines(rank, world))
        negatives = sampler_of(**changes).sample(**tensors(), score=score)
        found[f"{name}, ids"], found[f"{name}, log_q"] = (each.numpy() for each in negatives)
        rows = parts(world)[rank]
        score = ShardedDotProduct(
            torch.from_numpy(QUERIES[rows]), own_lines(rank, world), split=True
        )
        negatives = sampler_of(**changes).sample(**tensors(rows), score=score)
        found[f"{name}, split ids"] = negatives.item_ids.numpy()
        found[f"{name}, split log_q"] = negatives.log_q.numpy()
        if "candidates" not in changes:
            asked = [np.zeros(0, np.int64)]
            called = own_distances(rank, world, asked)
            negatives = sampler_of(**changes).sample(**tensors(), score=called)
            found[f"{name}, called ids"] = negatives.item_ids.numpy()
            found[f"{name}, called log_q"] = negatives.log_q.numpy()
            found[f"{name}, asked"] = np.bincount(np.concatenate(asked), minlength=1)
    np.savez(folder / f"rank{rank}.npz", **found)


def count_bytes(rank: int, world: int, folder: Path) -> None:
    counts = []
    gather, reduce = dist.all_gather, dist.all_reduce
    for kind, changes in COUNTED:
        rows = parts(world)[rank] if kind == "split" else slice(None)
        score: Any = ShardedDotProduct(
            torch.from_numpy(QUERIES[rows]), own_lines(rank, world), split=kind == "split"
        )
        score = own_distances(rank, world) if kind == "callable" else score
        moved = 0

        def counting_gather(parts: Any, own: Any, group: Any = None) -> None:
            nonlocal moved
            moved += sum(part.nbytes for part in parts) - own.nbytes
            gather(parts, own, group=group)

        def counting_reduce(own: Any, group: Any = None) -> None:
            nonlocal moved
            moved += own.nbytes
            reduce(own, group=group)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dist, "all_gather", counting_gather)
            patch.setattr(dist, "all_reduce", counting_reduce)
            sampler_of(**changes).sample(**tensors(rows), score=score)
        counts.append([moved, score.bytes_received])
    np.savez(folder / f"rank{rank}.npz", counts=np.array(counts))


def laws(rank: int, world: int, folder: Path) -> None:
    """Take the slice of a DTensor, slices with ids, and the exact law of one and of a callable."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    mesh = init_device_mesh("cpu", (world,))
    table = distribute_tensor(torch.from_numpy(TABLE), mesh, [Shard(0)])
    score = ShardedDotProduct(torch.from_numpy(QUERIES), table)
    negatives = sampler_of().sample(**tensors(), score=score)
    law = sampler_of(**CASES["own candidates"]).probabilities(**tensors(), score=score)
    ids, log_q = (each.numpy() for each in negatives)
    longer = torch.from_numpy(np.concatenate([TABLE, QUERIES]))  # than the catalogue
    own = (range(1, 600), range(600, len(longer)))[rank]
    score = ShardedDotProduct(torch.from_numpy(QUERIES), longer[own.start : own.stop], item_ids=own)
    said = sampler_of().sample(**tensors(), score=score).item_ids.numpy()
    called = sampler_of().probabilities(**tensors(), score=own_distances(rank, world))
    found = {"ids": ids, "said": said, "log_q": log_q}
    found |= {"law": law.numpy(), "called": called.numpy()}
    np.savez(folder / f"rank{rank}.npz", **found)


# What they must have done.


@pytest.mark.parametrize("world", [2, 3, 4])
def test_any_number_of_ranks_draws_as_one_device(tmp_path: Path, world: int) -> None:
    on_ranks(world, tmp_path, draw_all_cases)
    found = [np.load(tmp_path / f"rank{rank}.npz") for rank in range(world)]
    for name, changes in CASES.items():
        ids, log_q = one_device(**changes)
        for each in found:
            np.testing.assert_array_equal(each[f"{name}, ids"], ids, err_msg=name)
            np.testing.assert_allclose(each[f"{name}, log_q"], log_q, atol=1e-4)
        split = np.concatenate([each[f"{name}, split ids"] for each in found])
        np.testing.assert_array_equal(split, ids, err_msg=f"{name}, split")
        split = np.concatenate([each[f"{name}, split log_q"] for each in found])
        np.testing.assert_allclose(split, log_q, atol=1e-4)
        if "candidates" not in changes:
            ids, log_q = one_device(distances, **changes)
            for each in found:
                np.testing.assert_array_equal(each[f"{name}, called ids"], ids, err_msg=name)
                np.testing.assert_allclose(each[f"{name}, called log_q"], log_q, atol=1e-4)
            most = 2 if changes.get("replacement", True) else 1 + ids.shape[-1]
            asked = max(each[f"{name}, asked"].max() for each in found)
            assert asked == (0 if changes.get("alpha") == 0 else most), name


def test_bytes_are_those_of_the_docstrings(tmp_path: Path) -> None:
    world, rows = 3, int(MASK.sum())
    on_ranks(world, tmp_path, count_bytes)
    expected = []
    most, excluded = most_of_a_rank(world)
    for kind, changes in COUNTED:
        each = 24 * rows * (1 if changes.get("replacement", True) else changes["num_negatives"])
        if kind == "split":
            each += most * (16 + 4 * DIM) + 8 * excluded + 24
        received = (world - 1) * (each + 176)
        expected.append(received + 16 * rows * changes.get("num_negatives", 5))
    for rank in range(world):
        counts = np.load(tmp_path / f"rank{rank}.npz")["counts"]
        np.testing.assert_array_equal(counts[:, 0], expected)
        np.testing.assert_array_equal(counts[:, 1], expected)


def test_the_law_of_a_distributed_tensor_and_of_a_callable(tmp_path: Path) -> None:
    on_ranks(2, tmp_path, laws)
    ids, log_q = one_device()
    score = DotProduct(torch.from_numpy(QUERIES), torch.from_numpy(TABLE))
    law = sampler_of(**CASES["own candidates"]).probabilities(**tensors(), score=score)
    called = sampler_of().probabilities(**tensors(), score=distances)
    for rank in range(2):
        found = np.load(tmp_path / f"rank{rank}.npz")
        np.testing.assert_array_equal(found["ids"], ids)
        np.testing.assert_array_equal(found["said"], ids)
        np.testing.assert_allclose(found["log_q"], log_q, atol=1e-4)
        np.testing.assert_allclose(found["law"], law.numpy(), atol=1e-6)
        np.testing.assert_allclose(found["called"], called.numpy(), atol=1e-6)


def test_a_row_of_its_own_on_one_rank(tmp_path: Path) -> None:
    on_ranks(1, tmp_path, draw_all_cases)
    found = np.load(tmp_path / "rank0.npz")
    np.testing.assert_array_equal(found["plain, ids"], one_device()[0])
