"""What all ranks must have alike, and rows that are put together from all of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from negsamp.backend import Candidates
from negsamp.errors import InvalidInputError
from negsamp.stream import Stream
from negsamp_torch.rows import Excluded, Rows
from negsamp_torch.sharded.exchange import Exchange
from negsamp_torch.sharded.score import Sharded

__all__ = ["agree", "gather_rows"]


def agree(
    exchange: Exchange,
    rows: Rows,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    score: Sharded,
    alpha: float,
    items: range,
    candidates: Candidates | None,
) -> None:
    """Raise on all ranks if they are not about to make the same draws."""
    per_row = candidates is not None and candidates.per_row
    told = {
        "seed": stream.key & (2**63 - 1),
        "number of the call": stream.call,
        "num_negatives": num_negatives,
        "replacement": int(replacement),
        "first item id": items.start,
        "end of the item ids": items.stop,
        "number of candidates": len(items) if candidates is None else candidates.count,
        "candidates for each row (1) or all (0)": int(per_row),
        "split": int(score.split),
        "dim (0 for a callable)": score.dim,
        "alpha (as millionths)": round(alpha * 1e6),
    }
    if not score.split:
        mix = 0x9E3779B97F4A7C1 * (1 + torch.arange(len(rows), device=rows.numbers.device))
        told["number of rows"] = len(rows)
        told["rows"] = int((rows.numbers * mix).sum())
        told["exclusions of the rows"] = int((rows.excluded.places + 1).sum())
    own = torch.tensor(list(told.values()), dtype=torch.int64, device=rows.numbers.device)
    everyone = exchange.gather(own)
    differing = (everyone != everyone[:1]).any(0).nonzero()
    if len(differing):
        place = int(differing[0, 0])
        values = ", ".join(f"rank {r}: {int(v)}" for r, v in enumerate(everyone[:, place]))
        raise InvalidInputError(
            f"ranks differ in their {list(told)[place]} ({values}): every rank needs a sampler of "
            "the same seed and configuration, called equally often"
        )


def gather_rows(exchange: Exchange, rows: Rows, queries: Tensor) -> tuple[Rows, Tensor, slice]:
    """Put the rows of all ranks one after the other; return them, their queries, and which are own.

    Rows are numbered as if one device had been given all targets.
    """
    device = rows.numbers.device
    sizes = exchange.gather(torch.tensor([math.prod(rows.shape), len(rows)], device=device))
    before = sizes[: exchange.rank].sum(0)
    numbers = torch.cat(exchange.gather_uneven(rows.numbers + before[0]))
    counts = torch.cat(exchange.gather_uneven(rows.excluded.counts))
    places = torch.cat(exchange.gather_uneven(rows.excluded.places))
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    excluded = Excluded(offsets, places, rows.excluded.width)
    everyone = torch.cat(exchange.gather_uneven(queries))
    own = slice(int(before[1]), int(before[1]) + len(rows))
    return Rows((int(sizes[:, 0].sum()),), numbers, excluded), everyone, own
