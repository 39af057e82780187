"""A catalogue over real processes: the draws of one device, bytes as derived, and no hanging."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from negsamp import (
    DotProduct,
    GenNi,
    Interactions,
    InvalidInputError,
    InvalidScoresError,
    NegSampError,
)

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
if not torch.distributed.is_available() or sys.platform == "win32":
    pytest.skip("PyTorch without gloo", allow_module_level=True)

from torch import distributed as dist  # noqa: E402
from torch import multiprocessing  # noqa: E402

from negsamp_torch import ShardedDotProduct, ShardedScorer  # noqa: E402

NUM_ITEMS, DIM, NUM_ROWS = 1000, 8, 90
RANDOM = np.random.default_rng(17)
TARGETS = RANDOM.integers(1, NUM_ITEMS + 1, NUM_ROWS)
USERS = RANDOM.integers(0, 20, NUM_ROWS)
MASK = RANDOM.random(NUM_ROWS) < 0.8
QUERIES = RANDOM.normal(size=(NUM_ROWS, DIM)).astype(np.float32)
TABLE = RANDOM.normal(size=(NUM_ITEMS + 1, DIM)).astype(np.float32)
SEEN = [RANDOM.integers(1, NUM_ITEMS + 1, 30) for _ in range(20)]

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "without replacement": {"replacement": False, "num_negatives": 12},
    "candidates": {"beta": 0.3},
    "few candidates": {"beta": 0.05},
    "hard": {"alpha": 30.0},
    "uniform": {"alpha": 0.0, "beta": 0.3},
    "own candidates": {"beta": 0.3, "candidates": "query"},
    "few own candidates": {"beta": 0.07, "candidates": "query", "replacement": False},
}
CALLED = ("plain", "without replacement", "candidates", "few candidates", "hard", "uniform")


def sampler_of(**changes: Any) -> GenNi:
    arguments = {"alpha": 1.0, "num_negatives": 5, "seed": 4} | changes
    seen = Interactions.from_sequences(SEEN)
    return GenNi(range(1, NUM_ITEMS + 1), interactions=seen, backend="torch", **arguments)


def tensors(rows: slice = slice(None)) -> dict[str, Any]:
    arrays = {"targets": TARGETS, "users": USERS, "mask": MASK}
    return {name: torch.from_numpy(array[rows]) for name, array in arrays.items()}


def bounds_of(world: int) -> list[int]:
    """Cut the table unevenly: no border is a multiple of 128, and the last shard is small."""
    inner = [301, 433, 985][: world - 1] if world < 4 else [301, 340, 985]
    return [0, *inner, NUM_ITEMS + 1]


def own_lines(rank: int, world: int) -> Any:
    bounds = bounds_of(world)
    return torch.from_numpy(TABLE[bounds[rank] : bounds[rank + 1]])


def own_scorer(rank: int, world: int) -> ShardedScorer:
    """Score by no product of embeddings, and none but this rank's items."""
    first, last = bounds_of(world)[rank : rank + 2]

    def score(item_ids: Any) -> Any:
        assert item_ids.numel()
        assert int(item_ids.min()) >= first
        assert int(item_ids.max()) < last
        return called(item_ids)

    return ShardedScorer(score, last - first)


def called(item_ids: Any) -> Any:
    products = torch.from_numpy(QUERIES) @ torch.from_numpy(TABLE)[item_ids].T
    return torch.tanh(products) * 3


def one_device_called(**changes: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    negatives = sampler_of(**changes).sample(**tensors(), score=called)
    return negatives.item_ids.numpy(), negatives.log_q.numpy()


def one_device(**changes: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    score = DotProduct(torch.from_numpy(QUERIES), torch.from_numpy(TABLE))
    negatives = sampler_of(**changes).sample(**tensors(), score=score)
    return negatives.item_ids.numpy(), negatives.log_q.numpy()


# What each process does.


def draw_all_cases(rank: int, world: int, folder: Path) -> None:
    found = {}
    cut = [0, 20, 20, 55, NUM_ROWS]  # with four ranks one has no rows
    for name, changes in CASES.items():
        score = ShardedDotProduct(torch.from_numpy(QUERIES), own_lines(rank, world))
        negatives = sampler_of(**changes).sample(**tensors(), score=score)
        found[f"{name}, ids"], found[f"{name}, log_q"] = (each.numpy() for each in negatives)
        rows = slice(cut[rank], NUM_ROWS if rank == world - 1 else cut[rank + 1])
        score = ShardedDotProduct(
            torch.from_numpy(QUERIES[rows]), own_lines(rank, world), split=True
        )
        negatives = sampler_of(**changes).sample(**tensors(rows), score=score)
        found[f"{name}, split ids"] = negatives.item_ids.numpy()
        found[f"{name}, split log_q"] = negatives.log_q.numpy()
    for name in CALLED:
        negatives = sampler_of(**CASES[name]).sample(**tensors(), score=own_scorer(rank, world))
        found[f"{name}, called ids"], found[f"{name}, called log_q"] = (
            each.numpy() for each in negatives
        )
    law = sampler_of().probabilities(**tensors(), score=own_scorer(rank, world))
    found["called law"] = law.numpy()
    np.savez(folder / f"rank{rank}.npz", **found)


def count_bytes(rank: int, world: int, folder: Path) -> None:
    counts = []
    gather, reduce = dist.all_gather, dist.all_reduce
    table = ShardedDotProduct(torch.from_numpy(QUERIES), own_lines(rank, world))
    for changes, score in (
        ({}, table),
        ({"replacement": False, "num_negatives": 12}, table),
        ({"beta": 0.3, "candidates": "query"}, table),
        ({}, own_scorer(rank, world)),
    ):
        moved, score.bytes_received = 0, 0

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
            sampler_of(**changes).sample(**tensors(), score=score)
        counts.append([moved, score.bytes_received])
    np.savez(folder / f"rank{rank}.npz", counts=np.array(counts))


def raise_what(path: Path, act: Callable[[], Any]) -> None:
    """Write down which error this rank meets."""
    try:
        act()
        message = "nothing"
    except Exception as error:  # noqa: BLE001
        message = f"{type(error).__name__}: {error}"
    path.write_text(message, encoding="utf-8")


def another_seed(rank: int, world: int) -> None:
    score = ShardedDotProduct(torch.from_numpy(QUERIES), own_lines(rank, world))
    sampler_of(seed=rank).sample(**tensors(), score=score)


def other_rows(rank: int, world: int) -> None:
    rows = slice(0, NUM_ROWS - 20 * rank)
    score = ShardedDotProduct(torch.from_numpy(QUERIES[rows]), own_lines(rank, world))
    sampler_of().sample(**tensors(rows), score=score)


def bad_score(rank: int, world: int) -> None:
    lines = own_lines(rank, world).clone()
    if rank == 1:
        lines[3] = torch.nan
    score = ShardedDotProduct(torch.from_numpy(QUERIES), lines)
    sampler_of().sample(**tensors(), score=score)


def lines_missing(rank: int, world: int) -> None:
    lines = own_lines(rank, world)[rank:]
    score = ShardedDotProduct(torch.from_numpy(QUERIES), lines)
    sampler_of().sample(**tensors(), score=score)


def bad_answer(rank: int, world: int) -> None:
    score = own_scorer(rank, world)
    if rank == 1:
        answer = score.score
        score.score = lambda item_ids: answer(item_ids) / 0
    sampler_of().sample(**tensors(), score=score)


def ids_missing(rank: int, world: int) -> None:
    score = own_scorer(rank, world)
    score.num_items -= rank
    sampler_of().sample(**tensors(), score=score)


def own_candidates_called(rank: int, world: int) -> None:
    sampler, score = sampler_of(beta=0.3, candidates="query"), own_scorer(rank, world)
    sampler.sample(**tensors(), score=score)


def other_candidates(rank: int, world: int) -> None:
    sampler = sampler_of(beta=0.3, candidates=["batch", "query"][rank])
    score = ShardedDotProduct(torch.from_numpy(QUERIES), own_lines(rank, world))
    sampler.sample(**tensors(), score=score)


MISTAKES: dict[Callable[[int, int], None], tuple[type[Exception], str]] = {
    another_seed: (InvalidInputError, "ranks differ in their seed (rank 0: 0, rank 1: 1)"),
    other_rows: (InvalidInputError, "ranks differ in their number of rows"),
    other_candidates: (InvalidInputError, "differ in their candidates for each row (1) or all"),
    bad_score: (InvalidScoresError, "has a score that is NaN or +inf"),
    bad_answer: (InvalidScoresError, "has a score that is NaN or +inf"),
    lines_missing: (InvalidInputError, "the shards hold 1000 lines"),
    ids_missing: (InvalidInputError, "the shards hold 1000 lines"),
    own_candidates_called: (InvalidInputError, 'use candidates="batch"'),
}


def make_mistakes(rank: int, world: int, folder: Path) -> None:
    for mistake in MISTAKES:
        path = folder / f"rank{rank}-{mistake.__name__}.txt"
        raise_what(path, partial(mistake, rank, world))


def rank_dies(rank: int, world: int, folder: Path) -> None:
    if rank == 1:
        return
    score = ShardedDotProduct(torch.from_numpy(QUERIES), own_lines(rank, world))
    path = folder / f"rank{rank}.txt"
    raise_what(path, lambda: sampler_of().sample(**tensors(), score=score))


def distributed_tensor(rank: int, world: int, folder: Path) -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    mesh = init_device_mesh("cpu", (world,))
    table = distribute_tensor(torch.from_numpy(TABLE), mesh, [Shard(0)])
    score = ShardedDotProduct(torch.from_numpy(QUERIES), table)
    negatives = sampler_of().sample(**tensors(), score=score)
    law = sampler_of().probabilities(**tensors(), score=score)
    ids, log_q = (each.numpy() for each in negatives)
    np.savez(folder / f"rank{rank}.npz", ids=ids, log_q=log_q, law=law.numpy())


def process(
    rank: int, world: int, folder: Path, seconds: int, act: Callable[[int, int, Path], None]
) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=seconds),
    )
    act(rank, world, folder)
    if act is rank_dies:
        os._exit(0)  # a group that lost a rank cannot be taken down in order
    dist.destroy_process_group()


def on_ranks(
    world: int, folder: Path, act: Callable[[int, int, Path], None], seconds: int = 120
) -> None:
    multiprocessing.spawn(  # type: ignore[attr-defined, no-untyped-call]
        process, (world, folder, seconds, act), nprocs=world
    )


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
    for name in CALLED:
        ids, log_q = one_device_called(**CASES[name])
        for each in found:
            np.testing.assert_array_equal(each[f"{name}, called ids"], ids, err_msg=name)
            np.testing.assert_allclose(each[f"{name}, called log_q"], log_q, atol=1e-4)
    law = sampler_of().probabilities(**tensors(), score=called).numpy()
    for each in found:
        np.testing.assert_allclose(each["called law"], law, atol=1e-6)


def test_bytes_are_those_of_the_docstring(tmp_path: Path) -> None:
    world, rows = 3, int(MASK.sum())
    on_ranks(world, tmp_path, count_bytes)
    few, many = 120 + 127 * 4 * DIM, 120 + 127 * 4 * rows
    for rank in range(world):
        counts = np.load(tmp_path / f"rank{rank}.npz")["counts"]
        np.testing.assert_array_equal(counts[:, 0], counts[:, 1])
        assert counts[0, 0] == (world - 1) * (few + 16 * rows) + 16 * rows * 5
        assert counts[1, 0] == (world - 1) * (few + 12 * 16 * rows) + 16 * rows * 12
        assert counts[2, 0] == (world - 1) * (many + 16 * rows) + 16 * rows * 5
        assert counts[3, 0] == counts[2, 0]


def test_all_ranks_raise_the_same(tmp_path: Path) -> None:
    on_ranks(2, tmp_path, make_mistakes)
    for mistake, (error, message) in MISTAKES.items():
        said = [
            (tmp_path / f"rank{rank}-{mistake.__name__}.txt").read_text(encoding="utf-8")
            for rank in range(2)
        ]
        assert said[0] == said[1]
        assert said[0].startswith(error.__name__)
        assert message in said[0]


@pytest.mark.parametrize("arguments", [(None, 3), (called, -1), (called, 2.5), (called, True)])
def test_a_sharded_scorer_needs_a_callable_and_a_number(arguments: tuple[Any, Any]) -> None:
    with pytest.raises(NegSampError, match=r"must be .*; got"):
        ShardedScorer(*arguments)


def test_a_dead_rank_is_an_error_and_not_a_hang(tmp_path: Path) -> None:
    on_ranks(2, tmp_path, rank_dies, seconds=5)
    said = (tmp_path / "rank0.txt").read_text(encoding="utf-8")
    assert "RuntimeError" in said or "DistBackendError" in said


def test_a_distributed_tensor_is_a_sharded_table(tmp_path: Path) -> None:
    on_ranks(2, tmp_path, distributed_tensor)
    ids, log_q = one_device()
    score = DotProduct(torch.from_numpy(QUERIES), torch.from_numpy(TABLE))
    law = sampler_of().probabilities(**tensors(), score=score)
    for rank in range(2):
        found = np.load(tmp_path / f"rank{rank}.npz")
        np.testing.assert_array_equal(found["ids"], ids)
        np.testing.assert_allclose(found["log_q"], log_q, atol=1e-4)
        np.testing.assert_allclose(found["law"], law.numpy(), atol=1e-6)


def test_a_row_of_its_own_on_one_rank(tmp_path: Path) -> None:
    on_ranks(1, tmp_path, draw_all_cases)
    found = np.load(tmp_path / "rank0.npz")
    np.testing.assert_array_equal(found["plain, ids"], one_device()[0])
