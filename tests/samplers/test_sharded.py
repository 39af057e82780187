"""A catalogue over real processes: the draws of one device, bytes as derived, and no hanging."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from negsamp import DotProduct, GenNi, Interactions, InvalidInputError

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
    "own candidates": {"beta": 0.3, "candidates": "query"},
    "few of its own": {"beta": 0.05, "candidates": "query", "replacement": False},
    "hard": {"alpha": 30.0},
    "uniform": {"alpha": 0.0, "beta": 0.3},
}

COUNTED: list[tuple[bool, dict[str, Any]]] = [
    (False, {}),
    (False, {"replacement": False, "num_negatives": 12}),
    (False, {"beta": 0.3, "candidates": "query"}),
    (True, {}),
    (True, {"beta": 0.3, "replacement": False, "num_negatives": 2}),
]


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


def called_bounds(world: int) -> list[int]:
    """Cut the ids otherwise: at a border of blocks, with slices that are empty at both ends."""
    inner = {1: [], 2: [257], 3: [1, 640], 4: [257, 257, 1001]}[world]
    return [1, *inner, NUM_ITEMS + 1]


def distances(item_ids: Any) -> Any:
    """Score as no dot product does: by minus the distance to the query."""
    return -torch.cdist(torch.from_numpy(QUERIES), torch.from_numpy(TABLE)[item_ids])


def own_distances(rank: int, world: int) -> ShardedScorer:
    first, last = called_bounds(world)[rank : rank + 2]

    def score(item_ids: Any) -> Any:
        if len(item_ids) == 0 or item_ids[0] < first or item_ids[-1] >= last:
            raise AssertionError(f"rank {rank} was asked for {item_ids}")
        return distances(item_ids)

    return ShardedScorer(score, range(first, last))


def own_lines(rank: int, world: int) -> Any:
    bounds = bounds_of(world)
    return torch.from_numpy(TABLE[bounds[rank] : bounds[rank + 1]])


def one_device(score: Any = None, **changes: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    score = score or DotProduct(torch.from_numpy(QUERIES), torch.from_numpy(TABLE))
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
        if "candidates" not in changes:
            called = own_distances(rank, world)
            negatives = sampler_of(**changes).sample(**tensors(), score=called)
            found[f"{name}, called ids"] = negatives.item_ids.numpy()
            found[f"{name}, called log_q"] = negatives.log_q.numpy()
    np.savez(folder / f"rank{rank}.npz", **found)


def count_bytes(rank: int, world: int, folder: Path) -> None:
    counts = []
    gather, reduce = dist.all_gather, dist.all_reduce
    for called, changes in COUNTED:
        score: Any = ShardedDotProduct(torch.from_numpy(QUERIES), own_lines(rank, world))
        score = own_distances(rank, world) if called else score
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
            sampler_of(**changes).sample(**tensors(), score=score)
        counts.append([moved, score.bytes_received])
    np.savez(folder / f"rank{rank}.npz", counts=np.array(counts))


def message_of(act: Callable[[], Any]) -> str:
    """Tell which error this rank meets."""
    try:
        act()
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"
    return "nothing"


def raise_all(rank: int, world: int, folder: Path) -> None:
    """Meet one error after the other: what all ranks raise leaves the group in order."""
    lines, queries = own_lines(rank, world), torch.from_numpy(QUERIES)
    spoilt = lines.clone()
    spoilt[3] = torch.nan
    rows = slice(0, NUM_ROWS - 20 * rank)
    whole, gaps = ShardedDotProduct(queries, lines), range(1 + 500 * rank, 500 + 500 * rank)
    called = own_distances(rank, world)

    def draw(score: Any, rows: slice = slice(None), exclude: Any = None, **changes: Any) -> str:
        given = tensors(rows) | {"score": score, "exclude": exclude}
        return message_of(lambda: sampler_of(**changes).sample(**given))

    messages = {
        "seed": draw(whole, seed=rank),
        "rows": draw(ShardedDotProduct(queries[rows], lines), rows),
        "candidates": draw(whole, beta=0.5, candidates=("batch", "query")[rank]),
        "score": draw(ShardedDotProduct(queries, spoilt if rank else lines)),
        "lines": draw(ShardedDotProduct(queries, lines[rank:])),
        "queries": draw(ShardedDotProduct(queries.roll(rank), lines)),
        "length": draw(ShardedDotProduct(queries * (1 + rank), lines)),
        "order": draw(called, exclude=torch.arange(1, NUM_ROWS + 1).roll(rank)[:, None]),
        "split fit": draw(ShardedDotProduct(queries[rank:], lines, split=True)),
        "fit": draw(ShardedDotProduct(queries[rank:], lines)),
        "fit nowhere": draw(ShardedDotProduct(queries[1:], lines)),
        "dim": draw(ShardedDotProduct(queries, lines[:, rank:])),
        "kind": draw(called if rank else whole),
        "gap": draw(ShardedScorer(distances, gaps)),
        "query": draw(called, beta=0.5, candidates="query"),
        "shape": draw(ShardedScorer(lambda ids: distances(ids)[rank:], called.item_ids)),
        "nothing": draw(called),
    }
    (folder / f"rank{rank}.json").write_text(json.dumps(messages), encoding="utf-8")


def rank_dies(rank: int, world: int, folder: Path) -> None:
    if rank == 1:
        return
    score = ShardedDotProduct(torch.from_numpy(QUERIES), own_lines(rank, world))
    said = message_of(lambda: sampler_of().sample(**tensors(), score=score))
    (folder / "rank0.txt").write_text(said, encoding="utf-8")


def laws(rank: int, world: int, folder: Path) -> None:
    """Take the slice of a DTensor, and the exact law of this and of a callable."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    mesh = init_device_mesh("cpu", (world,))
    table = distribute_tensor(torch.from_numpy(TABLE), mesh, [Shard(0)])
    score = ShardedDotProduct(torch.from_numpy(QUERIES), table)
    negatives = sampler_of().sample(**tensors(), score=score)
    law = sampler_of(**CASES["own candidates"]).probabilities(**tensors(), score=score)
    ids, log_q = (each.numpy() for each in negatives)
    called = sampler_of().probabilities(**tensors(), score=own_distances(rank, world))
    found = {"ids": ids, "log_q": log_q, "law": law.numpy(), "called": called.numpy()}
    np.savez(folder / f"rank{rank}.npz", **found)


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
        if "candidates" not in changes:
            ids, log_q = one_device(distances, **changes)
            for each in found:
                np.testing.assert_array_equal(each[f"{name}, called ids"], ids, err_msg=name)
                np.testing.assert_allclose(each[f"{name}, called log_q"], log_q, atol=1e-4)


def test_bytes_are_those_of_the_docstrings(tmp_path: Path) -> None:
    world, rows = 3, int(MASK.sum())
    on_ranks(world, tmp_path, count_bytes)
    expected = []
    for called, changes in COUNTED:
        each = 24 * rows * (1 if changes.get("replacement", True) else changes["num_negatives"])
        received = (world - 1) * (each + (152 if called else 144))
        expected.append(received + 16 * rows * changes.get("num_negatives", 5))
    for rank in range(world):
        counts = np.load(tmp_path / f"rank{rank}.npz")["counts"]
        np.testing.assert_array_equal(counts[:, 0], expected)
        np.testing.assert_array_equal(counts[:, 1], expected)


def test_all_ranks_raise_the_same(tmp_path: Path) -> None:
    on_ranks(2, tmp_path, raise_all)
    first, second = (
        json.loads((tmp_path / f"rank{rank}.json").read_text(encoding="utf-8")) for rank in range(2)
    )
    wanted = {
        "seed": r"InvalidInputError: ranks differ in their seed (rank 0: 0, rank 1: 1)",
        "rows": "InvalidInputError: ranks differ in their number of rows",
        "candidates": "InvalidInputError: ranks differ in their candidates",
        "queries": "InvalidInputError: ranks differ in their queries (a checksum",
        "length": "InvalidInputError: ranks differ in their queries' length (its logarithm",
        "order": "InvalidInputError: ranks differ in their exclusions of the rows",
        "split fit": "InvalidInputError: ranks differ in their queries' fit to the targets",
        "fit": "InvalidInputError: ranks differ in their queries' fit to the targets",
        "fit nowhere": "InvalidInputError: queries have shape (89, 8); they must be",
        "score": "InvalidScoresError: row (1,) has a score that is NaN or +inf",
        "lines": "InvalidInputError: the shards hold 1000 item embeddings",
        "kind": "InvalidInputError: ranks differ in their dim (0 for a callable)",
        "gap": "InvalidInputError: item_ids of the ranks are range(1, 500), range(501, 1000)",
        "query": 'InvalidInputError: candidates="query" with beta < 1 needs a DotProduct',
        "nothing": "nothing",
    }
    for name, message in wanted.items():
        assert first[name].startswith(message), name
        assert second[name] == first[name]
    for name, message in {"dim": "RuntimeError", "shape": "InvalidInputError: the score"}.items():
        assert first[name].startswith("InvalidInputError: rank 1 could not compute"), name
        assert second[name].startswith(message)


@pytest.mark.parametrize("item_ids", [range(1, 9, 2), 9, [1, 2]])
def test_ids_of_a_rank_are_a_range(item_ids: Any) -> None:
    with pytest.raises(InvalidInputError, match="item_ids must be a range of step 1"):
        ShardedScorer(distances, item_ids)


def test_a_score_of_a_rank_can_be_called() -> None:
    with pytest.raises(InvalidInputError, match="score must be a callable of item ids; got Tensor"):
        ShardedScorer(torch.zeros(3, 3), range(9))


def test_a_dead_rank_is_an_error_and_not_a_hang(tmp_path: Path) -> None:
    on_ranks(2, tmp_path, rank_dies, seconds=5)
    said = (tmp_path / "rank0.txt").read_text(encoding="utf-8")
    assert "RuntimeError" in said or "DistBackendError" in said


def test_the_law_of_a_distributed_tensor_and_of_a_callable(tmp_path: Path) -> None:
    on_ranks(2, tmp_path, laws)
    ids, log_q = one_device()
    score = DotProduct(torch.from_numpy(QUERIES), torch.from_numpy(TABLE))
    law = sampler_of(**CASES["own candidates"]).probabilities(**tensors(), score=score)
    called = sampler_of().probabilities(**tensors(), score=distances)
    for rank in range(2):
        found = np.load(tmp_path / f"rank{rank}.npz")
        np.testing.assert_array_equal(found["ids"], ids)
        np.testing.assert_allclose(found["log_q"], log_q, atol=1e-4)
        np.testing.assert_allclose(found["law"], law.numpy(), atol=1e-6)
        np.testing.assert_allclose(found["called"], called.numpy(), atol=1e-6)


def test_a_row_of_its_own_on_one_rank(tmp_path: Path) -> None:
    on_ranks(1, tmp_path, draw_all_cases)
    found = np.load(tmp_path / "rank0.npz")
    np.testing.assert_array_equal(found["plain, ids"], one_device()[0])
