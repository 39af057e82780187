"""What all ranks must have alike, and rows that are put together from all of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from negsamp.backend import Candidates
from negsamp.errors import InvalidInputError
from negsamp.stream import Stream
from negsamp_torch.rows import Excluded, Rows
from negsamp_torch.sharded.dot_product import ShardedDotProduct
from negsamp_torch.sharded.exchange import Exchange
from negsamp_torch.sharded.scorer import ShardedScorer

__all__ = ["agree", "gather_rows"]


def agree(
    exchange: Exchange,
    rows: Rows,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    score: ShardedDotProduct | ShardedScorer,
    alpha: float,
    items: range,
    candidates: Candidates | None,
) -> None:
    """Raise on all ranks if they are not about to make the same draws."""
    told = {
        "seed": stream.key & (2**63 - 1),
        "number of the call": stream.call,
        "num_negatives": num_negatives,
        "replacement": int(replacement),
        "first item id": items.start,
        "end of the item ids": items.stop,
        "number of candidates": len(items) if candidates is None else candidates.count,
        "candidates (1 for query)": int(candidates is not None and candidates.per_row),
        "split": int(score.split),
        "dim (0 for a callable)": score.dim,
        "alpha (as millionths)": round(alpha * 1e6),
    }
    if not score.split:
        mix = 0x9E3779B97F4A7C1 * (1 + torch.arange(len(rows), device=rows.numbers.device))
        told["number of rows"] = len(rows)
        told["rows"] = int((rows.numbers * mix).sum())
        told["exclusions of the rows"] = int((rows.excluded.places + 1).sum())
    everyone = exchange.gather_numbers(*told.values())
    for name, numbers in zip(told, zip(*everyone, strict=True), strict=True):
        if len(set(numbers)) > 1:
            values = ", ".join(f"rank {rank}: {number}" for rank, number in enumerate(numbers))
            raise InvalidInputError(
                f"ranks differ in their {name} ({values}): every rank needs a sampler of the same "
                "seed and configuration, called equally often"
            )


def gather_rows(exchange: Exchange, rows: Rows, queries: Tensor) -> tuple[Rows, Tensor, slice]:
    """Put the rows of all ranks one after the other; return them, their queries, and which are own.

    Rows are numbered as if one device had been given all targets.
    """
    sizes = exchange.gather_numbers(math.prod(rows.shape), len(rows))
    before = [sum(size) for size in zip((0, 0), *sizes[: exchange.rank], strict=True)]
    numbers = torch.cat(exchange.gather_uneven(rows.numbers + before[0]))
    counts = torch.cat(exchange.gather_uneven(rows.excluded.counts))
    places = torch.cat(exchange.gather_uneven(rows.excluded.places))
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    excluded = Excluded(offsets, places, rows.excluded.width)
    everyone = torch.cat(exchange.gather_uneven(queries))
    own = slice(before[1], before[1] + len(rows))
    return Rows((sum(targets for targets, _ in sizes),), numbers, excluded), everyone, own
