"""What all ranks must have alike, and rows that are put together from all of them."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import Tensor

from negsamp.backend import Candidates
from negsamp.errors import InvalidInputError
from negsamp.stream import Stream
from negsamp_torch.rows import Excluded, Rows
from negsamp_torch.sharded.exchange import Exchange

__all__ = ["abort", "agree", "gather_rows"]

GOLDEN = 0x9E3779B97F4A7C15 - 2**64  # as int64, as the factors below
DTYPES = (None, torch.float16, torch.bfloat16, torch.float32, torch.float64)
LENGTH = "queries' length (its logarithm, in millionths)"
QUERIES, ROUNDING = "queries (a checksum, in millionths)", 10_000
ABORTED = "refusal"
NAMES = (
    ABORTED,
    "split",
    "dim (0 for a callable)",
    "dtype of queries",
    "dtype of items",
    "seed",
    "number of the call",
    "num_negatives",
    "replacement",
    "alpha",
    "first item id",
    "end of the item ids",
    "number of candidates",
    "candidates (1 for query)",
    "number of targets",
    "number of rows",
    "rows",
    "exclusions of the rows",
    LENGTH,
    QUERIES,
)
"""What is told, in the order of being compared; the last six are 0 where rows are split."""


def agree(
    exchange: Exchange,
    rows: Rows,
    queries: Tensor,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    alpha: float,
    items: range,
    candidates: Candidates | None,
    split: bool,
    dtypes: tuple[torch.dtype | None, torch.dtype | None],
) -> None:
    """Raise on all ranks if they are not about to make the same draws."""
    try:
        shared = [0] * 6 if split else _shared(rows, queries)
    except Exception as error:  # noqa: BLE001  (raised as soon as the other ranks know of it)
        abort(exchange, error)
    _compare(
        exchange,
        0,
        int(split),
        queries.shape[1],
        *(DTYPES.index(dtype) for dtype in dtypes),
        stream.key - (stream.key >> 63 << 64),  # as int64
        stream.call,
        num_negatives,
        int(replacement),
        _bits_of(alpha),
        items.start,
        items.stop,
        len(items) if candidates is None else candidates.count,
        int(candidates is not None and candidates.per_row),
        *shared,
    )


def abort(exchange: Exchange, error: Exception) -> NoReturn:
    """Raise, when the ranks that are about to agree have been told."""
    exchange.gather_numbers(1, *[0] * (len(NAMES) - 1))
    raise error


def _compare(exchange: Exchange, *told: int) -> None:
    everyone = exchange.gather_numbers(*told)
    for name, numbers in zip(NAMES, zip(*everyone, strict=True), strict=True):
        if name == ABORTED and any(numbers):
            raise InvalidInputError(
                f"rank {numbers.index(1)} refuses what it was given: see what is raised there"
            )
        apart = max(numbers) - min(numbers)
        if apart > (ROUNDING if name in (LENGTH, QUERIES) else 0):
            shown = SHOWN.get(name, int)
            values = ", ".join(
                f"rank {rank}: {shown(number)}" for rank, number in enumerate(numbers)
            )
            raise InvalidInputError(
                f"ranks differ in their {name} ({values}): every rank needs a sampler of the same "
                "seed and configuration, called equally often"
            )


def _bits_of(number: float) -> int:
    """Return a float64 as the int64 of the same bits."""
    return int(struct.unpack("<q", struct.pack("<d", number))[0])


def _of_bits(bits: int) -> float:
    return float(struct.unpack("<d", struct.pack("<q", bits))[0])


SHOWN: dict[str, Callable[[int], Any]] = {
    "alpha": _of_bits,
    "dtype of queries": DTYPES.__getitem__,
    "dtype of items": DTYPES.__getitem__,
}


def _shared(rows: Rows, queries: Tensor) -> list[int]:
    """Return what has to be alike where rows are not split: sizes and checksums."""
    of_row = _hashed(torch.arange(len(rows), device=rows.numbers.device))
    sums = torch.stack(
        [
            _hashed(rows.numbers + of_row).sum(),
            _hashed(rows.excluded.places + of_row[rows.excluded.rows]).sum(),
        ]
    )
    return [math.prod(rows.shape), len(rows), *sums.tolist(), *_checksum(queries)]


def _hashed(numbers: Tensor) -> Tensor:
    """Scatter int64 numbers over all of int64, as SplitMix64 does its counter.

    References
    ----------
    Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    z = numbers * GOLDEN + GOLDEN
    for shift, factor in ((30, 0xBF58476D1CE4E5B9 - 2**64), (27, 0x94D049BB133111EB - 2**64)):
        z = (z ^ (z >> shift & (1 << 64 - shift) - 1)) * factor
    return z ^ (z >> 31 & (1 << 33) - 1)


def _checksum(queries: Tensor) -> tuple[int, int]:
    """Return the logarithm of the length of all numbers, and their sum under fixed signs over it.

    Both are in millionths. Of queries that are not the same one of them differs by about a million,
    of those that are equal but for rounding by about one.
    """
    values = queries.reshape(-1).double()
    signs = 1 - 2 * (GOLDEN * torch.arange(len(values), device=values.device) >> 40 & 1)
    length = values.norm()
    told = torch.stack([length.log(), (signs * values).sum() / length]).tolist()
    log_length, checksum = (round(each * 1e6) if math.isfinite(each) else 0 for each in told)
    return log_length, checksum


def gather_rows(exchange: Exchange, rows: Rows, queries: Tensor) -> tuple[Rows, Tensor, slice]:
    """Put the rows of all ranks one after the other; return them, their queries, and which are own.

    Rows are numbered as if one device had been given all targets.
    """
    told = exchange.gather_numbers(math.prod(rows.shape), len(rows), len(rows.excluded.places))
    targets, sizes, excluded_sizes = zip(*told, strict=True)
    before, first = sum(targets[: exchange.rank]), sum(sizes[: exchange.rank])
    numbers = exchange.gather_uneven(rows.numbers + before, sizes)
    counts = exchange.gather_uneven(rows.excluded.counts, sizes)
    places = exchange.gather_uneven(rows.excluded.places, excluded_sizes)
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    excluded = Excluded(offsets, places, rows.excluded.width)
    everyone = exchange.gather_uneven(queries, sizes)
    return Rows((sum(targets),), numbers, excluded), everyone, slice(first, first + len(rows))
