"""Groups of ranks, and tables that lie on them in one way or another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from negsamp import DotProduct, GenNi, Uniform
from tests.samplers.ranks import (
    NUM_ITEMS,
    QUERY_TENSOR,
    TABLE_TENSOR,
    draw,
    message_of,
    on_ranks,
    one_device,
    own_lines,
    said,
    sampler_of,
    tensors,
    write,
)

torch = pytest.importorskip("torch")

from torch import distributed as dist  # noqa: E402
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh  # noqa: E402
from torch.distributed.tensor import (  # noqa: E402
    DTensor,
    Partial,
    Replicate,
    Shard,
    distribute_tensor,
)

from negsamp_torch import ShardedDotProduct  # noqa: E402


def groups(rank: int, world: int, folder: Path) -> None:
    """Take groups and tables that lie otherwise over four ranks."""
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("replicas", "slices"))
    crossed = DeviceMesh("cpu", [1, 0, 3, 2])
    line = init_device_mesh("cpu", (world,))
    lines = own_lines(rank % 2, 2)

    def over(items: Any, group: Any = None) -> str:
        return draw(ShardedDotProduct(QUERY_TENSOR, items, group))

    def placed(mesh: Any, *placements: Any) -> str:
        if any(placed.is_partial() for placed in placements):
            items = DTensor.from_local(TABLE_TENSOR, mesh, placements)
        else:
            items = distribute_tensor(TABLE_TENSOR, mesh, placements)
        return message_of(lambda: check(items))

    def check(items: Any) -> None:
        score = ShardedDotProduct(QUERY_TENSOR, items)
        ids = sampler_of().sample(**tensors(), score=score).item_ids.numpy()
        np.testing.assert_array_equal(ids, one_device()[0])

    def spread(tensor: Any) -> Any:
        return distribute_tensor(tensor, line, [Replicate()])

    def plain(queries: Any, items: Any, targets: Any, backend: str) -> str:
        sampler = GenNi(range(1, NUM_ITEMS + 1), backend=backend)
        return message_of(lambda: sampler.sample(targets, score=DotProduct(queries, items)))

    def uniform(targets: Any, backend: str) -> str:
        sampler = Uniform(range(1, NUM_ITEMS + 1), backend=backend)
        return message_of(lambda: sampler.sample(targets))

    pair, targets = dist.new_group([1, 3]), tensors()["targets"]
    messages = {
        "columns": placed(line, Shard(1)),
        "replicas": placed(line, Replicate()),
        "parts": placed(line, Partial()),
        "twice": placed(mesh, Shard(0), Shard(0)),
        "crossed": placed(crossed, Shard(0)),
        "slices": placed(mesh, Replicate(), Shard(0)),
        "other slices": placed(mesh, Shard(0), Replicate()),
        "mesh": over(lines, mesh["slices"]),
        "pair": over(own_lines(rank // 2, 2), pair),
        "spread queries": draw(ShardedDotProduct(spread(QUERY_TENSOR), own_lines(rank, world))),
    }
    for backend in ("torch", "numba"):
        messages |= {
            f"items, {backend}": plain(QUERY_TENSOR, spread(TABLE_TENSOR), targets, backend),
            f"queries, {backend}": plain(spread(QUERY_TENSOR), TABLE_TENSOR, targets, backend),
            f"targets, {backend}": uniform(spread(targets), backend),
        }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dist, "get_backend_config", lambda _: "cuda:nccl")
        messages["device"] = over(lines)
    write(messages, rank, folder)


def test_tables_and_groups_that_lie_otherwise(tmp_path: Path) -> None:
    on_ranks(4, tmp_path, groups)
    placed = "InvalidInputError: items are placed as ("
    spread = "must be a dense array; got a DTensor, which is sharded over processes: pass its .full"
    wanted = {
        "columns": f"{placed}Shard(dim=1),)",
        "replicas": f"{placed}Replicate(),)",
        "parts": f"{placed}Partial(sum),)",
        "twice": f"{placed}Shard(dim=0), Shard(dim=0))",
        "crossed": "InvalidInputError: item_ids of the ranks are range(251, 502), range(0, 251)",
        "slices": "nothing",
        "other slices": "nothing",
        "mesh": "InvalidInputError: group must be a ProcessGroup or None; got a DeviceMesh",
        "spread queries": f"InvalidInputError: queries {spread}",
        "items, torch": f"InvalidInputError: item embeddings {spread}",
        "items, numba": f"InvalidInputError: item embeddings {spread}",
        "queries, torch": f"InvalidInputError: queries {spread}",
        "queries, numba": f"InvalidInputError: queries {spread}",
        "targets, torch": f"InvalidInputError: targets {spread}",
        "targets, numba": f"InvalidInputError: targets {spread}",
        "device": "InvalidInputError: the group sends tensors on cuda; those of this call are on c",
    }
    for rank, messages in enumerate(said(tmp_path, 4)):
        for name, message in wanted.items():
            assert messages[name].startswith(message), (rank, name, messages[name])
        outside = "InvalidInputError: this process is not in the group"
        assert messages["pair"].startswith("nothing" if rank % 2 else outside)
