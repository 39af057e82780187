"""Run parts of a computation with torch on several threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["on_threads"]

Part = TypeVar("Part")
Outcome = TypeVar("Outcome")


def on_threads(do: Callable[[Part], Outcome], parts: Iterable[Part]) -> list[Outcome]:
    """Run all parts on as many threads as torch has, and return their results in order.

    Each thread computes whole parts, with torch limited to that one thread. This is faster than
    splitting every operation over the threads, which then wait for the slowest at each operation.
    The result of a part does not depend on the number of threads.

    Parameters
    ----------
    do : callable
        Takes a part and returns its result; torch releases the GIL while it computes. Modes such
        as :func:`torch.no_grad` are local to a thread, so the callable has to set them itself.
    parts : iterable

    Raises
    ------
    Exception
        The exception of the first part that fails.
    """
    num_threads = torch.get_num_threads()
    if num_threads == 1:
        return [do(part) for part in parts]
    try:
        with ThreadPoolExecutor(num_threads, "part", torch.set_num_threads, (1,)) as pool:
            return list(pool.map(do, parts))
    finally:
        torch.set_num_threads(num_threads)
