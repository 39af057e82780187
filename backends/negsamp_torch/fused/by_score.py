"""Draws in proportion to exp(alpha * score): launches of the two-pass kernels, chunk by chunk.

The first pass stores the mass of each block of 128 columns and never a score; if rows exclude more
than their targets, a second kernel sums the affected blocks again. The last pass draws from these.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor

from negsamp.backend import Candidates
from negsamp.blocks import BLOCK
from negsamp.stream import Stream
from negsamp_torch.fused import subsets
from negsamp_torch.fused.counter import counter_of
from negsamp_torch.fused.kernels.draws import draw
from negsamp_torch.fused.kernels.masses import exclude, masses_of_own, masses_of_shared
from negsamp_torch.fused.rows import DeviceRows

__all__ = ["by_score"]

PROGRAMS = 1024
"""Approximate number of programs of the first pass: enough to fill a device."""
MASKED_PROGRAMS = 4096
"""The same if there is a mask, which may leave most programs without rows."""
LEAST_ROWS = 256
"""Least rows of a chunk, whatever its memory: each chunk reads the whole item table once."""
EXCLUDED_EACH = 512
"""Excluded items of a row per program of the kernel that sums blocks without them."""
TILE_BLOCKS = 1024
"""Block masses of a row that a draw loads at a time."""
LINE_BYTES = 128
"""Bytes of an embedding that are loaded for one step of the product."""


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
    """Return item ids and log-probabilities; errors are written to the status of the rows.

    Parameters
    ----------
    queries, items : Tensor
        (rows, dim), and (items, dim) by place in the catalogue.
    factor : float32 Tensor, shape (1,)
        alpha / ln 2, which turns scores into exponents of two.
    bytes_per_chunk : int
        Bound on the block masses of a chunk, 8 bytes per row and block, unless LEAST_ROWS rows
        need more. If rows have their own candidates it is 8 times as high, and includes these and
        the flags that select them.

    Returns
    -------
    item_ids, log_q : int64 and float32, shape (rows, num_negatives)
        0 in rows that are not sampled; the catalogue's first item and NaN in rows with an error.

    Notes
    -----
    The product is made in the dtype that queries and items have in common: bfloat16 and float16 on
    tensor cores, float32 there as three TF32 products, which keep its precision, or as one if
    PyTorch's own products may be that (``torch.backends.cuda.matmul``). The item table is not
    copied: another dtype is converted in registers, and rows may be strided, as in
    ``table[:, :64]``. The exception is a table whose rows are not contiguous, as in a transposed
    one. Block sums are float32, sums of them float64. Nothing here waits for the device.
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
    queries, items = _for_product(queries, items)
    tile = tile_rows(generation_of(queries))
    bytes_of_own = subsets.bytes_per_row(len(items), width) if own else 0
    chunk_rows = min(_rows_at_once(num_blocks, bytes_of_own, bytes_per_chunk, tile), max(size, 1))
    aligned = (2, 4 * triton.cdiv(chunk_rows, 4), num_blocks)
    masses = torch.empty(aligned, dtype=torch.float32, device=device)
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
        "stride": items.stride(0),
        "num_blocks": num_blocks,
        "BLOCK": BLOCK,
        "STEP": step_of(queries),
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
            masses_of_own[(chunk * num_blocks,)](places=places, **scores, **exclusion)
        else:
            _sum_shared(scores, chunk, places, candidates is not None, tile, rows)
            if not _one_excluded(rows):
                exclude[(chunk, triton.cdiv(rows.longest + rows.more.shape[1], EXCLUDED_EACH))](
                    places=places,
                    PLACE_STEPS=len(items).bit_length(),
                    EACH=EXCLUDED_EACH,
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


def _sum_shared(
    scores: dict[str, Any], chunk: int, places: Tensor, listed: bool, tile: int, rows: DeviceRows
) -> None:
    """Launch the first pass for rows that share their columns."""
    queries, num_blocks = scores["queries"], scores["num_blocks"]
    tile = min(tile, max(triton.next_power_of_2(chunk), 16))
    tiles = triton.cdiv(chunk, tile)
    programs = PROGRAMS if rows.kept is None else MASKED_PROGRAMS
    blocks_each = triton.cdiv(num_blocks * tiles, max(programs, tiles))
    masses_of_shared[(tiles, triton.cdiv(num_blocks, blocks_each))](
        places=places,
        num_rows=chunk,
        blocks_each=blocks_each,
        more=rows.more,
        ROWS=tile,
        ONE_STEP=scores["dim"] <= scores["STEP"],
        LISTED=listed,
        ONE_EXCLUDED=_one_excluded(rows),
        PRECISION="tf32" if queries.dtype == torch.float32 and _may_be_tf32() else "tf32x3",
        WIDEN=not isinstance(masses_of_shared, triton.JITFunction),  # Triton's interpreter
        **launch_options(queries, generation_of(queries), tile),
        **scores,
    )


def _one_excluded(rows: DeviceRows) -> bool:
    """Return whether rows exclude only their targets, which the first pass then masks.

    Masking more there would slow down every score; instead, `exclude` sums a few blocks again.
    """
    return rows.longest == 0 and rows.more.shape[1] == 1


def _rows_at_once(num_blocks: int, bytes_of_own: int, bytes_per_chunk: int, tile: int) -> int:
    """Return the rows of a chunk: whole tiles, unless rows have their own candidates."""
    if bytes_of_own:
        return max(8 * bytes_per_chunk // (8 * num_blocks + bytes_of_own), 1)
    rows = max(bytes_per_chunk // (8 * num_blocks), LEAST_ROWS)
    return rows - rows % min(tile, rows)


def _for_product(queries: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
    """Return queries in the dtype of the product, and items in their own, with contiguous rows."""
    dtype = torch.promote_types(queries.dtype, items.dtype)
    dtype = torch.float32 if dtype == torch.float64 else dtype
    has_contiguous_rows = items.shape[1] == 1 or items.stride(1) == 1
    return queries.to(dtype).contiguous(), items if has_contiguous_rows else items.contiguous()


def _may_be_tf32() -> bool:
    """Return whether PyTorch's settings allow TF32 in float32 matrix products.

    It has two such settings, and reading the older one raises once the newer one is used.
    """
    settings = torch.backends.cuda.matmul
    if hasattr(settings, "fp32_precision"):
        return bool(settings.fp32_precision == "tf32")
    return bool(settings.allow_tf32)


def step_of(queries: Tensor) -> int:
    """Return the number of dimensions of one step of the product."""
    whole = max(triton.next_power_of_2(queries.shape[1]), 16)
    return int(min(LINE_BYTES // queries.element_size(), whole))


def generation_of(queries: Tensor) -> int:
    """Return the major compute capability of the device; 9 in Triton's interpreter."""
    return torch.cuda.get_device_capability(queries.device)[0] if queries.is_cuda else 9


def tile_rows(generation: int) -> int:
    """Return the rows of a tile whose scores still fit into registers."""
    return 128 if generation in (9, 10) else 64


def launch_options(queries: Tensor, generation: int, rows: int) -> dict[str, int | None]:
    """Return the launch options of the first pass.

    With 16-bit dtypes two programs share a multiprocessor, which leaves 128 registers per thread,
    unless the compiler would then spill the scores of a tile.
    """
    dim, step = queries.shape[1], step_of(queries)
    spills = (generation != 9 or step < 64) if rows > 64 else (generation >= 12 and dim > step)
    twice = queries.element_size() == 2 and not spills
    return {"num_warps": 8, "num_stages": 2, "maxnreg": 128 if twice else None}
