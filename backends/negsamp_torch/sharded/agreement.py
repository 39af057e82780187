"""The check that all ranks make the same call, and the gathering of their rows."""

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

GOLDEN = 0x9E3779B97F4A7C15 - 2**64  # the increment of SplitMix64, as int64
DTYPES = (None, torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""Dtypes of embeddings; ranks send the index. None: a callable has none."""
LENGTH = "queries' length (its logarithm, in millionths)"
QUERIES = "queries (a checksum, in millionths)"
ROUNDING = 10_000
"""Largest difference of the two figures of the queries, in millionths, that counts as rounding."""
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
"""The integers that ranks compare, in this order; the last six are 0 if rows are split."""


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
    """Raise on all ranks unless all are about to make the same draws."""
    try:
        shared = [0] * 6 if split else _shared(rows, queries)
    except Exception as error:  # noqa: BLE001  (raised once the other ranks are told)
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
    """Tell the ranks in :func:`agree` that this one has an error, and raise it."""
    exchange.gather_numbers(1, *[0] * (len(NAMES) - 1))
    raise error


def _compare(exchange: Exchange, *own: int) -> None:
    everyone = exchange.gather_numbers(*own)
    for name, numbers in zip(NAMES, zip(*everyone, strict=True), strict=True):
        if name == ABORTED and any(numbers):
            raise InvalidInputError(
                f"rank {numbers.index(1)} rejected its arguments: see the error raised there"
            )
        difference = max(numbers) - min(numbers)
        if difference > (ROUNDING if name in (LENGTH, QUERIES) else 0):
            decode = DECODERS.get(name, int)
            values = ", ".join(
                f"rank {rank}: {decode(number)}" for rank, number in enumerate(numbers)
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


DECODERS: dict[str, Callable[[int], Any]] = {
    "alpha": _of_bits,
    "dtype of queries": DTYPES.__getitem__,
    "dtype of items": DTYPES.__getitem__,
}


def _shared(rows: Rows, queries: Tensor) -> list[int]:
    """Return sizes and checksums of rows and queries that all ranks must share."""
    of_row = _hashed(torch.arange(len(rows), device=rows.numbers.device))
    sums = torch.stack(
        [
            _hashed(rows.numbers + of_row).sum(),
            _hashed(rows.excluded.places + of_row[rows.excluded.rows]).sum(),
        ]
    )
    return [math.prod(rows.shape), len(rows), *sums.tolist(), *_checksum(queries)]


def _hashed(numbers: Tensor) -> Tensor:
    """Hash int64 numbers to int64, by the output function of SplitMix64.

    References
    ----------
    Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    z = numbers * GOLDEN + GOLDEN
    for shift, factor in ((30, 0xBF58476D1CE4E5B9 - 2**64), (27, 0x94D049BB133111EB - 2**64)):
        z = (z ^ (z >> shift & (1 << 64 - shift) - 1)) * factor
    return z ^ (z >> 31 & (1 << 33) - 1)


def _checksum(queries: Tensor) -> tuple[int, int]:
    """Return the log-norm of all numbers as one vector, and its dot product with fixed signs.

    The dot product is divided by the norm, and both are in millionths. In one of them different
    queries differ by about a million, and queries that are equal up to rounding by about one.
    """
    values = queries.reshape(-1).double()
    signs = 1 - 2 * (GOLDEN * torch.arange(len(values), device=values.device) >> 40 & 1)
    length = values.norm()
    figures = torch.stack([length.log(), (signs * values).sum() / length]).tolist()
    log_length, checksum = (round(each * 1e6) if math.isfinite(each) else 0 for each in figures)
    return log_length, checksum


def gather_rows(exchange: Exchange, rows: Rows, queries: Tensor) -> tuple[Rows, Tensor, slice]:
    """Concatenate the rows of all ranks; return them, their queries, and the slice of own ones.

    Rows are numbered as if one device had been given all targets.
    """
    sent = exchange.gather_numbers(math.prod(rows.shape), len(rows), len(rows.excluded.places))
    targets, sizes, excluded_sizes = zip(*sent, strict=True)
    before, first = sum(targets[: exchange.rank]), sum(sizes[: exchange.rank])
    numbers = exchange.gather_uneven(rows.numbers + before, sizes)
    counts = exchange.gather_uneven(rows.excluded.counts, sizes)
    places = exchange.gather_uneven(rows.excluded.places, excluded_sizes)
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    excluded = Excluded(offsets, places, rows.excluded.width)
    everyone = exchange.gather_uneven(queries, sizes)
    return Rows((sum(targets),), numbers, excluded), everyone, slice(first, first + len(rows))
