"""Draw negatives with the item table on one process, or with its scores sharded over all."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from negsamp import ConfigError, DotProduct, GenNi, Negatives, Sampler
from negsamp_models.processes import Processes

__all__ = ["Draw", "check_sharded_items", "drawn_here", "drawn_over_slices"]

Draw = Callable[[Tensor, Tensor, Tensor, Tensor], Negatives]
"""Draws for targets, (num_rows,), given their queries, (num_rows, dim), the item embeddings by item
id, (num_items + 1, dim), and the users, (num_rows,)."""


def drawn_here(sampler: Sampler) -> Draw:
    """Return a draw in which this process scores all items for its own rows."""

    def draw(targets: Tensor, queries: Tensor, item_embeddings: Tensor, users: Tensor) -> Negatives:
        return sampler.sample(targets, score=DotProduct(queries, item_embeddings), users=users)

    return draw


def drawn_over_slices(sampler: Sampler, processes: Processes) -> Draw:
    """Return a draw in which each process scores one slice of the items, for the rows of all.

    The processes take turns: one broadcasts its queries, targets and users, each scores its slice
    of the table, and the draw uses the random stream of the first one's sampler. Up to rounding of
    scores, the negatives are those that this process would draw alone. A process receives the rows
    of the others and what `negsamp_torch.ShardedDotProduct` exchanges, but never a row of the table
    outside its slice.

    Parameters
    ----------
    sampler : GenNi
        Spawned by rank.
    processes : Processes
        At least two; drawing is collective: all must draw.

    Raises
    ------
    ConfigError
        If there is one process, or the sampler is not GenNi.
    """
    check_sharded_items(sampler, processes)
    from negsamp_torch import ShardedDotProduct  # noqa: PLC0415  (needs torch.distributed)

    def draw(targets: Tensor, queries: Tensor, item_embeddings: Tensor, users: Tensor) -> Negatives:
        own, rows = sampler.state_dict(), torch.stack([targets, users], dim=1)
        items = processes.slice_of(item_embeddings.detach())
        drawn: Negatives | None = None
        for rank in range(processes.size):
            sent = processes.sent_by(rank, rows)
            score = ShardedDotProduct(processes.sent_by(rank, queries.detach()), items)
            if rank == processes.rank:
                drawn = sampler.sample(sent[:, 0], score=score, users=sent[:, 1])
            else:
                others[rank].load_state_dict(own | {"spawned": [*own["spawned"][:-1], rank]})
                others[rank].sample(sent[:, 0], score=score, users=sent[:, 1])
        assert drawn is not None  # the rank of this process is one of them
        return drawn

    others = {rank: sampler.spawn(0) for rank in range(processes.size)}
    return draw


def check_sharded_items(sampler: Sampler, processes: Processes) -> None:
    """Raise a ConfigError if there is one process, or the sampler is not GenNi."""
    if processes.size == 1:
        raise ConfigError("sharded_items needs several processes: start the run with torchrun")
    if not isinstance(sampler, GenNi):
        raise ConfigError(
            "sharded_items needs the sampler genni, since no other looks at scores; the sampler of "
            f"this run is {type(sampler).__name__}"
        )
