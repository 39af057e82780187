"""Work in parts on several threads, each of which calls torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["on_threads"]

Part = TypeVar("Part")
Outcome = TypeVar("Outcome")


def on_threads(do: Callable[[Part], Outcome], parts: Iterable[Part]) -> list[Outcome]:
    """Do all parts on as many threads as torch has, and return what comes of each, in order.

    A thread works through whole parts with operations that use no further thread: two threads with
    a part each have nothing to wait for, where the halves of each operation wait for the slower
    one. What comes of a part does not depend on the number of threads.

    Parameters
    ----------
    do : callable
        Is given a part; torch lets other threads run while it computes. Modes such as
        :func:`torch.no_grad` hold for a thread alone, so it sets its own.
    parts : iterable

    Raises
    ------
    Exception
        What the first part that fails raises.
    """
    num_threads = torch.get_num_threads()
    if num_threads == 1:
        return [do(part) for part in parts]
    try:
        with ThreadPoolExecutor(num_threads, "part", torch.set_num_threads, (1,)) as pool:
            return list(pool.map(do, parts))
    finally:
        torch.set_num_threads(num_threads)
