"""Draws in proportion to exp(alpha * score) by kernels: the two passes of the reference, fused."""

from __future__ import annotations

import math
from typing import Any

import torch
import triton
from torch import Tensor

from negsamp.backend import Candidates
from negsamp.stream import Stream
from negsamp_torch.candidates import one_for_all_rows
from negsamp_torch.fused import subsets
from negsamp_torch.fused.draws import draw
from negsamp_torch.fused.masses import exclude, masses_of_own, masses_of_shared
from negsamp_torch.request import Request
from negsamp_torch.fused.words import place_of
from negsamp_torch.scores import BLOCK

__all__ = ["by_score"]

TILE_ROWS = 128
"""Rows of a tile of the matrix product."""
STEP = 64
"""Dimensions that are multiplied at once."""
PROGRAMS = 1024
"""About as many programs make the first pass: enough to fill a device."""
TILE_BLOCKS = 1024
"""Blocks whose masses a draw holds at once."""


def by_score(
    request: Request,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    queries: Tensor,
    items: Tensor,
    alpha: float,
    candidates: Candidates | None,
    bytes_per_chunk: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return places in the catalogue, log-probabilities, and what became of each row.

    Parameters
    ----------
    queries, items : Tensor
        (rows, dim), and (items, dim) by place in the catalogue.
    bytes_per_chunk : int
        Bound on what is kept of the rows in hand: 8 bytes a block, and the rows' own candidates.

    Returns
    -------
    drawn, log_q : int64 and float32, shape (rows, num_negatives)
        0 in rows that are not sampled.
    status : int32, shape (rows,)
        0 where all went well; see :meth:`Request.complain`.

    Notes
    -----
    The product is made in the dtype that queries and items have in common: bfloat16 and float16 on
    tensor cores, float32 there as three TF32 products, which keep its precision, or as one if
    ``torch.backends.cuda.matmul.allow_tf32`` is set. Block sums are float32, sums of them float64.
    Nothing here waits for the device.
    """
    size, device = request.targets.numel(), request.device
    drawn = torch.zeros((size, num_negatives), dtype=torch.int64, device=device)
    log_q = torch.zeros((size, num_negatives), dtype=torch.float32, device=device)
    status = request.new_status()
    own = candidates is not None and candidates.per_row
    places, width = request.numbers[0], len(items)
    if candidates is not None:
        width = candidates.count
        if not own:
            places = one_for_all_rows(stream, len(items), width, device)
    num_blocks = triton.cdiv(width, BLOCK)
    bytes_per_row = 8 * num_blocks + (subsets.bytes_per_row(len(items), width) if own else 0)
    rows = min(max(bytes_per_chunk // bytes_per_row, 1), size)
    masses = torch.empty((2, rows, num_blocks), device=device)
    table = _common_dtype(queries, items)
    problem = dict(
        zip(("user_items", "begins", "ends"), request.bounds, strict=True),
        shifts=masses[0],
        sums=masses[1],
        numbers=request.numbers[0],
        count=request.numbers[1],
        queries=table[0],
        items=table[1],
        more=request.more,
        num_more=request.more.shape[1],
        factor=alpha / math.log(2),
        width=width,
        dim=items.shape[1],
        num_blocks=num_blocks,
        BLOCK=BLOCK,
        STEP=min(STEP, max(triton.next_power_of_2(items.shape[1]), 16)),
        STEPS=request.longest.bit_length(),
    )
    results = {"drawn": drawn, "log_q": log_q, "status": status}
    for first in range(0, size, rows):
        chunk = min(rows, size - first)
        part: dict[str, Any] = {**problem, "first": first}
        if own:
            numbers = request.numbers[0][first : first + chunk]
            places = subsets.one_for_each_row(stream, len(items), width, numbers)
            masses_of_own[(chunk, num_blocks)](places=places, **part)
        else:
            _shared(part, chunk, places, candidates is not None)
        draw[(chunk,)](
            place_in_stream=place_of(stream, device),
            places=places,
            places_a_row=width if own else 0,
            num_negatives=num_negatives,
            TILE=min(TILE_BLOCKS, triton.next_power_of_2(num_blocks)),
            LISTED=candidates is not None,
            REPLACEMENT=replacement,
            **results,
            **part,
        )
    return drawn, log_q, status


def _shared(part: dict[str, Any], chunk: int, places: Tensor, listed: bool) -> None:
    """Sum the blocks of a chunk of rows that share their columns, and mend what is excluded."""
    tile = min(TILE_ROWS, max(triton.next_power_of_2(chunk), 16))
    tiles, num_blocks = triton.cdiv(chunk, tile), part["num_blocks"]
    blocks_each = triton.cdiv(num_blocks * tiles, max(PROGRAMS, tiles))
    wanted = ("shifts", "sums", "numbers", "count", "first", "queries", "items", "factor", "width")
    wanted += ("dim", "num_blocks", "BLOCK", "STEP")
    masses_of_shared[(tiles, triton.cdiv(num_blocks, blocks_each))](
        **{name: part[name] for name in wanted},
        places=places,
        blocks_each=blocks_each,
        num_rows=chunk,
        ROWS=tile,
        LISTED=listed,
        PRECISION="tf32" if torch.backends.cuda.matmul.allow_tf32 else "tf32x3",
        WIDEN=triton.knobs.runtime.interpret,
        num_warps=8,
    )
    steps = part["width"].bit_length() if listed else 0
    exclude[(chunk,)](places=places, PLACE_STEPS=steps, LISTED=listed, **part)


def _common_dtype(queries: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
    dtype = torch.promote_types(queries.dtype, items.dtype)
    dtype = torch.float32 if dtype == torch.float64 else dtype
    return queries.to(dtype).contiguous(), items.to(dtype).contiguous()
