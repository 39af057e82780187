"""Samplers in DataLoader workers: a copy of one draws in each of them what the others draw."""

from __future__ import annotations

import sys

from negsamp.warning import warn_caller

__all__ = ["warn_if_worker"]


def warn_if_worker() -> None:
    """Warn, in a worker of a PyTorch DataLoader, of a sampler that was made outside it."""
    data = sys.modules.get("torch.utils.data")
    if data is not None and data.get_worker_info() is not None:
        warn_caller(
            "this sampler was copied into a DataLoader worker: all workers that have a copy, in "
            "all epochs, draw by the same random words. Draw with "
            "sampler.spawn(epoch).spawn(worker) instead, made in the worker, whose number is "
            "torch.utils.data.get_worker_info().id"
        )
