"""Draws in proportion to fixed weights by one kernel: the integers of the reference."""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from negsamp.stream import Stream
from negsamp_torch.fused.counter import counter_of
from negsamp_torch.fused.kernels.weights import draw
from negsamp_torch.request import NO_WEIGHT, Request

__all__ = ["by_weight"]

LANES = 256
"""Draws a program."""


def by_weight(
    request: Request,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    cumulative: Tensor | None,
    weights_before: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return places in the catalogue, log-probabilities, and what became of each row.

    Parameters
    ----------
    cumulative : int64, shape (items + 1,), or None
        Weights before each place of the catalogue; None where each is 1.
    weights_before : int64, shape (interactions + 1,), or None
        Running sums of the weights of all users' items, which may wrap; None where each is 1.

    Returns
    -------
    drawn, log_q : int64 and float32, shape (rows, num_negatives)
        0 in rows that are not sampled.
    status : int32, shape (rows,)
        0 where all went well; see :meth:`Request.complain`.

    Notes
    -----
    One launch; without replacement one for each negative, with what was drawn before among what is
    excluded. Nothing here waits for the device.
    """
    size, device = request.targets.numel(), request.device
    drawn = torch.zeros((size, num_negatives), dtype=torch.int64, device=device)
    log_q = torch.zeros((size, num_negatives), dtype=torch.float32, device=device)
    status = request.new_status()
    user_items, begins, ends = request.bounds
    weighted = cumulative is not None
    more, law = request.more, torch.empty(size, dtype=torch.int64, device=device)
    launches = [(0, num_negatives)] if replacement else [(j, 1) for j in range(num_negatives)]
    for first_draw, draws in launches if size else []:
        draw[(triton.cdiv(size * draws, LANES),)](
            drawn,
            log_q,
            status,
            law,
            request.kept,
            counter_of(stream, device),
            user_items,
            begins,
            ends,
            more,
            more.shape[1],
            user_items if cumulative is None else cumulative,
            user_items if weights_before is None else weights_before,
            size,
            len(request.items),
            num_negatives,
            first_draw,
            draws,
            NO_WEIGHT,
            LANES=LANES,
            STEPS=request.longest.bit_length(),
            ITEM_STEPS=(len(request.items) + 1).bit_length(),
            WEIGHTED=weighted,
        )
        if first_draw + draws < num_negatives:
            more = torch.cat([more, drawn[:, first_draw, None]], 1).sort(1).values
    return drawn, log_q, status
