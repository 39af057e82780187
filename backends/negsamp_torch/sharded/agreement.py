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

MIX = 0x9E3779B97F4A7C1
LENGTH = "queries' length (its logarithm, in millionths)"
QUERIES, ROUNDING = "queries (a checksum, in millionths)", 10_000


def agree(
    exchange: Exchange,
    rows: Rows,
    queries: Tensor | Exception,
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
        "seed": stream.key - (stream.key >> 63 << 64),  # as int64
        "number of the call": stream.call,
        "num_negatives": num_negatives,
        "replacement": int(replacement),
        "first item id": items.start,
        "end of the item ids": items.stop,
        "number of candidates": len(items) if candidates is None else candidates.count,
        "candidates (1 for query)": int(candidates is not None and candidates.per_row),
        "split": int(score.split),
        "dim (0 for a callable)": score.dim,
        "alpha (as millionths)": min(round(alpha * 1e6), 2**63 - 1),
    }
    told["queries' fit to the targets (1: one for each)"] = int(isinstance(queries, Tensor))
    if not score.split:
        mix = MIX * (1 + torch.arange(len(rows), device=rows.numbers.device))
        told["number of rows"] = len(rows)
        told["rows"] = int((rows.numbers * mix).sum())
        told["exclusions of the rows"] = int(
            ((rows.excluded.places + 1) * mix[rows.excluded.rows]).sum()
        )
        fitting = queries if isinstance(queries, Tensor) else rows.numbers.new_zeros(0)
        told[LENGTH], told[QUERIES] = _checksum(fitting)
    everyone = exchange.gather_numbers(*told.values())
    for name, numbers in zip(told, zip(*everyone, strict=True), strict=True):
        apart = max(numbers) - min(numbers)
        if apart > (ROUNDING if name in (LENGTH, QUERIES) else 0):
            values = ", ".join(f"rank {rank}: {number}" for rank, number in enumerate(numbers))
            raise InvalidInputError(
                f"ranks differ in their {name} ({values}): every rank needs a sampler of the same "
                "seed and configuration, called equally often"
            )


def _checksum(queries: Tensor) -> tuple[int, int]:
    """Return the logarithm of the length of all numbers, and their sum under fixed signs over it.

    Both are in millionths. Of queries that are not the same one of them differs by about a million,
    of those that are equal but for rounding by about one.
    """
    values = queries.reshape(-1).double()
    signs = 1 - 2 * (MIX * torch.arange(len(values), device=values.device) >> 40 & 1)
    length = values.norm()
    told = torch.stack([length.log(), (signs * values).sum() / length]).tolist()
    log_length, checksum = (round(each * 1e6) if math.isfinite(each) else 0 for each in told)
    return log_length, checksum


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
