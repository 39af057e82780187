"""Draws in proportion to exp(alpha * score) by kernels: the two passes of the reference, fused."""

from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor

from negsamp.backend import Candidates
from negsamp.stream import Stream
from negsamp_torch.fused import subsets
from negsamp_torch.fused.counter import counter_of
from negsamp_torch.fused.kernels.draws import draw
from negsamp_torch.fused.kernels.masses import exclude, masses_of_own, masses_of_shared
from negsamp_torch.fused.rows import DeviceRows
from negsamp_torch.scores import BLOCK

__all__ = ["by_score"]

PROGRAMS = 1024
"""About as many programs make the first pass: enough to fill a device."""
TILE_BLOCKS = 1024
"""Blocks whose masses a draw holds at once."""
LINE_BYTES = 128
"""Bytes of an embedding that are multiplied at once."""


def by_score(
    rows: DeviceRows,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    queries: Tensor,
    items: Tensor,
    first_item: int,
    factor: Tensor,
    candidates: Candidates | None,
    bytes_per_chunk: int,
) -> tuple[Tensor, Tensor]:
    """Return item ids and log-probabilities; write down in the rows' status what went wrong.

    Parameters
    ----------
    queries, items : Tensor
        (rows, dim), and (items, dim) by place in the catalogue.
    factor : float32 Tensor, shape (1,)
        What scores are multiplied by before two is raised to them: alpha / ln 2.
    bytes_per_chunk : int
        Bound on what is kept of the rows in hand: 8 bytes a block, and the rows' own candidates.

    Returns
    -------
    item_ids, log_q : int64 and float32, shape (rows, num_negatives)
        0 in rows that are not sampled; the catalogue's first item and NaN where something is wrong.

    Notes
    -----
    The product is made in the dtype that queries and items have in common: bfloat16 and float16 on
    tensor cores, float32 there as three TF32 products, which keep its precision, or as one if
    ``torch.backends.cuda.matmul.allow_tf32`` is set. Block sums are float32, sums of them float64.
    Nothing here waits for the device.
    """
    size, device = len(rows), rows.status.device
    item_ids = torch.zeros((size, num_negatives), dtype=torch.int64, device=device)
    log_q = torch.zeros((size, num_negatives), dtype=torch.float32, device=device)
    numbers, count = rows.numbers()
    own = candidates is not None and candidates.per_row
    places, width = numbers, len(items)
    if candidates is not None:
        width = candidates.count
        if not own:
            places = subsets.one_for_all_rows(stream, len(items), width, device)
    num_blocks = triton.cdiv(width, BLOCK)
    bytes_per_row = 8 * num_blocks + (subsets.bytes_per_row(len(items), width) if own else 0)
    chunk_rows = max(min(bytes_per_chunk // bytes_per_row, size), 1)
    masses = torch.empty((2, chunk_rows, num_blocks), dtype=torch.float32, device=device)
    queries, items = _common_dtype(queries, items)
    scores: dict[str, Any] = {
        "shifts": masses[0],
        "sums": masses[1],
        "numbers": numbers,
        "count": count,
        "queries": queries,
        "items": items,
        "factor": factor,
        "width": width,
        "dim": items.shape[1],
        "num_blocks": num_blocks,
        "BLOCK": BLOCK,
        "STEP": _step(items),
    }
    exclusion = {
        "user_items": rows.user_items,
        "begins": rows.begins,
        "ends": rows.ends,
        "more": rows.more,
        "num_more": rows.more.shape[1],
        "STEPS": rows.longest.bit_length(),
    }
    results = {"item_ids": item_ids, "log_q": log_q, "status": rows.status}
    counter = counter_of(stream, device)
    for first in range(0, size, chunk_rows):
        chunk = min(chunk_rows, size - first)
        scores["first"] = first
        if own:
            chosen = numbers[first : first + chunk]
            places = subsets.one_for_each_row(stream, len(items), width, chosen)
            masses_of_own[(chunk, num_blocks)](places=places, **scores, **exclusion)
        else:
            _sum_shared(scores, chunk, places, candidates is not None)
            exclude[(chunk,)](
                places=places,
                PLACE_STEPS=width.bit_length(),
                LISTED=candidates is not None,
                **scores,
                **exclusion,
            )
        draw[(chunk,)](
            counter=counter,
            places=places,
            places_a_row=width if own else 0,
            first_item=first_item,
            num_negatives=num_negatives,
            TILE=min(TILE_BLOCKS, triton.next_power_of_2(num_blocks)),
            LISTED=candidates is not None,
            REPLACEMENT=replacement,
            **results,
            **scores,
            **exclusion,
        )
    return item_ids, log_q


def _sum_shared(scores: dict[str, Any], chunk: int, places: Tensor, listed: bool) -> None:
    """Launch the first pass over rows that share their columns."""
    items, num_blocks = scores["items"], scores["num_blocks"]
    tile = min(_tile_rows(items), max(triton.next_power_of_2(chunk), 16))
    tiles = triton.cdiv(chunk, tile)
    blocks_each = triton.cdiv(num_blocks * tiles, max(PROGRAMS, tiles))
    masses_of_shared[(tiles, triton.cdiv(num_blocks, blocks_each))](
        places=places,
        num_rows=chunk,
        blocks_each=blocks_each,
        ROWS=tile,
        LISTED=listed,
        PRECISION="tf32" if torch.backends.cuda.matmul.allow_tf32 else "tf32x3",
        WIDEN=triton.knobs.runtime.interpret,
        num_warps=8,
        num_stages=2,
        **scores,
    )


def _common_dtype(queries: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
    dtype = torch.promote_types(queries.dtype, items.dtype)
    dtype = torch.float32 if dtype == torch.float64 else dtype
    return queries.to(dtype).contiguous(), items.to(dtype).contiguous()


def _step(items: Tensor) -> int:
    """Return how many dimensions are multiplied at once."""
    whole = max(triton.next_power_of_2(items.shape[1]), 16)
    return int(min(LINE_BYTES // items.element_size(), whole))


def _tile_rows(items: Tensor) -> int:
    """Return how many rows a tile may have for its scores to stay in registers."""
    roomy = not items.is_cuda or torch.cuda.get_device_capability(items.device) >= (9, 0)
    return 128 if roomy or items.element_size() == 2 else 64
