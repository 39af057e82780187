"""Pre-selection: uniform subsets of the catalogue (eq. 6), the same as the reference's."""

from __future__ import annotations

import torch
from torch import Tensor

from negsamp.stream import CANDIDATES, Stream, below

__all__ = ["one_for_all_rows", "one_for_each_row"]


def one_for_all_rows(stream: Stream, width: int, count: int, device: torch.device) -> Tensor:
    """Return `count` distinct places below `width`, ascending: those with the smallest keys."""
    high, low = stream.words(CANDIDATES, torch.arange(width, device=device))
    keys = high << 31 | low >> 1
    return torch.sort(keys, stable=True).indices[:count].sort().values


def one_for_each_row(stream: Stream, width: int, count: int, numbers: Tensor) -> Tensor:
    """Return `count` distinct places below `width` for each row, ascending: Floyd's algorithm."""
    steps = min(count, width - count)
    row = torch.arange(len(numbers), device=numbers.device)
    draws = numbers[:, None] * steps + torch.arange(steps, device=numbers.device)
    high, low = stream.words(CANDIDATES, draws)
    largest = torch.arange(width - steps, width, device=numbers.device)
    chosen = below(high, low, largest + 1)
    taken = torch.zeros((len(numbers), width), dtype=torch.bool, device=numbers.device)
    for m in range(steps):
        t = chosen[:, m]
        taken[row, torch.where(taken[row, t], largest[m], t)] = True
    if steps != count:
        taken = ~taken
    return taken.nonzero()[:, 1].reshape(len(numbers), count)
