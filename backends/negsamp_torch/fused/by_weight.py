"""Draws in proportion to fixed weights: launches of one kernel, with the reference's integers."""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from negsamp.stream import Stream
from negsamp_torch.fused.counter import counter_of
from negsamp_torch.fused.kernels.weights import draw
from negsamp_torch.fused.rows import DeviceRows
from negsamp_torch.request import NO_WEIGHT

__all__ = ["by_weight"]

LANES = 256
"""Draws per program."""


def by_weight(
    rows: DeviceRows,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    items: range,
    cumulative: Tensor | None,
    weights_before: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Return item ids and log-probabilities; errors are written to the status of the rows.

    Parameters
    ----------
    cumulative : int64, shape (items + 1,), or None
        Exclusive prefix sums of the weights of the catalogue; None if all are 1.
    weights_before : int64, shape (interactions + 1,), or None
        Exclusive prefix sums of the weights of all users' items, which may wrap; None if all are 1.

    Returns
    -------
    item_ids, log_q : int64 and float32, shape (rows, num_negatives)
        0 in rows that are not sampled; the catalogue's first item and NaN in rows with an error.

    Notes
    -----
    One launch; without replacement one per negative, before which the items drawn so far are added
    to the exclusions. Nothing here waits for the device.
    """
    size, device = len(rows), rows.status.device
    item_ids = torch.zeros((size, num_negatives), dtype=torch.int64, device=device)
    log_q = torch.zeros((size, num_negatives), dtype=torch.float32, device=device)
    more, first_totals = rows.more, torch.empty(size, dtype=torch.int64, device=device)
    counter = counter_of(stream, device)
    launches = [(0, num_negatives)] if replacement else [(j, 1) for j in range(num_negatives)]
    for first_draw, draws in launches if size else []:
        draw[(triton.cdiv(size * draws, LANES),)](
            item_ids,
            log_q,
            rows.status,
            first_totals,
            rows.status if rows.kept is None else rows.kept,
            counter,
            rows.user_items,
            rows.begins,
            rows.ends,
            more,
            more.shape[1],
            more if cumulative is None else cumulative,
            more if weights_before is None else weights_before,
            size,
            items.start,
            len(items),
            num_negatives,
            first_draw,
            draws,
            NO_WEIGHT,
            LANES=LANES,
            STEPS=rows.longest.bit_length(),
            ITEM_STEPS=(len(items) + 1).bit_length(),
            WEIGHTED=cumulative is not None,
            MASKED=rows.kept is not None,
        )
        if first_draw + draws < num_negatives:
            places = item_ids[:, first_draw, None] - items.start
            more = torch.cat([more, places], 1).sort(1).values
    return item_ids, log_q
