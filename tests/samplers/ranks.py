"""Real processes with shards of one catalogue, and the draws of one device as a reference."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from negsamp import DotProduct, GenNi, Interactions

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
if not torch.distributed.is_available() or sys.platform == "win32":
    pytest.skip("PyTorch without gloo", allow_module_level=True)

from torch import distributed as dist  # noqa: E402
from torch import multiprocessing  # noqa: E402

from negsamp_torch import ShardedScorer  # noqa: E402

NUM_ITEMS, DIM, NUM_ROWS = 1000, 8, 90
RANDOM = np.random.default_rng(17)
TARGETS = RANDOM.integers(1, NUM_ITEMS + 1, NUM_ROWS)
USERS = RANDOM.integers(0, 20, NUM_ROWS)
MASK = RANDOM.random(NUM_ROWS) < 0.8
QUERIES = RANDOM.normal(size=(NUM_ROWS, DIM)).astype(np.float32)
TABLE = RANDOM.normal(size=(NUM_ITEMS + 1, DIM)).astype(np.float32)
SEEN = [RANDOM.integers(1, NUM_ITEMS + 1, 30) for _ in range(20)]
QUERY_TENSOR, TABLE_TENSOR = torch.from_numpy(QUERIES), torch.from_numpy(TABLE)


def sampler_of(**changes: Any) -> GenNi:
    arguments = {"alpha": 1.0, "num_negatives": 5, "seed": 4} | changes
    seen = Interactions.from_sequences(SEEN)
    return GenNi(range(1, NUM_ITEMS + 1), interactions=seen, backend="torch", **arguments)


def tensors(rows: slice = slice(None)) -> dict[str, Any]:
    arrays = {"targets": TARGETS, "users": USERS, "mask": MASK}
    return {name: torch.from_numpy(array[rows]) for name, array in arrays.items()}


def bounds_of(world: int) -> list[int]:
    """Shard the table unevenly: no bound is a multiple of 128, and the last shard is small."""
    inner = [301, 433, 985][: world - 1] if world < 4 else [301, 340, 985]
    return [0, *inner, NUM_ITEMS + 1]


def called_bounds(world: int) -> list[int]:
    """Shard the ids differently: at a block boundary, with empty shards at both ends."""
    inner = {1: [], 2: [257], 3: [1, 640], 4: [257, 257, 1001]}[world]
    return [1, *inner, NUM_ITEMS + 1]


def distances(item_ids: Any) -> Any:
    """Return scores that are not dot products: minus the distance to the query."""
    return -torch.cdist(torch.from_numpy(QUERIES), torch.from_numpy(TABLE)[item_ids])


def own_distances(rank: int, world: int, asked: list[Any] | None = None) -> ShardedScorer:
    """Return a scorer of this rank's ids, which appends the ids of each call to `asked`."""
    first, last = called_bounds(world)[rank : rank + 2]

    def score(item_ids: Any) -> Any:
        if asked is not None:
            asked.append(item_ids.numpy())
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
    dist.destroy_process_group()


def on_ranks(
    world: int, folder: Path, act: Callable[[int, int, Path], None], seconds: int = 120
) -> None:
    multiprocessing.spawn(  # type: ignore[attr-defined, no-untyped-call]
        process, (world, folder, seconds, act), nprocs=world
    )


def message_of(act: Callable[[], Any]) -> str:
    """Return the error that a call raises on this rank, as text."""
    try:
        act()
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"
    return "nothing"


def draw(score: Any, rows: slice = slice(None), given: Any = None, **changes: Any) -> str:
    arguments = tensors(rows) | {"score": score} | (given or {})
    return message_of(lambda: sampler_of(**changes).sample(**arguments))


def law(score: Any, rows: slice = slice(None), **changes: Any) -> str:
    arguments = tensors(rows) | {"score": score}
    return message_of(lambda: sampler_of(**changes).probabilities(**arguments))


def write(messages: dict[str, str], rank: int, folder: Path) -> None:
    (folder / f"rank{rank}.json").write_text(json.dumps(messages), encoding="utf-8")


def said(folder: Path, world: int = 2) -> list[dict[str, str]]:
    paths = (folder / f"rank{rank}.json" for rank in range(world))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]
