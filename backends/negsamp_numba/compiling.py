"""Decorators that compile functions with Numba: cached on disk, and logged."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit
from numba.core import event
from numba.extending import intrinsic

__all__ = ["instruction", "kernel", "part"]

Function = TypeVar("Function", bound=Callable[..., Any])

_LOG = logging.getLogger("negsamp")
_KERNELS: set[int] = set()


def kernel(function: Function) -> Function:
    """Compile a function that Python calls: lazily, to run without the GIL, and cached on disk.

    If neither the folder of the code nor the user's cache folder is writable, it is compiled again
    in each process.
    """
    try:
        dispatcher: Any = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no writable folder for the cache
        dispatcher = njit(nogil=True)(function)
    _KERNELS.add(id(dispatcher))
    _expire_with_package(dispatcher)
    return dispatcher  # type: ignore[no-any-return]


def part(*fastmath: str) -> Callable[[Function], Function]:
    """Compile a function that kernels call, with LLVM's `fastmath` flags."""
    compiled: Any = njit(fastmath=set(fastmath), forceinline=True)
    return cast(Callable[[Function], Function], compiled)


def instruction(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make an LLVM instruction callable in kernels: see :func:`numba.extending.intrinsic`."""
    return cast(Callable[..., Any], intrinsic(function))


def _expire_with_package(dispatcher: Any) -> None:
    """Invalidate the cached code of a kernel when any file of this package has changed.

    Numba checks only the kernel's own file, and would run outdated code of the functions it calls.
    """
    cached = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if cached is not None:
        cached._source_stamp = _package_stamp()


@cache
def _package_stamp() -> tuple[tuple[str, int, int], ...]:
    """Return name, modification time and size of each file of this package."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)


class _Announcement(event.Listener):
    """Logs when a kernel is compiled, which takes seconds, rather than loaded from the cache."""

    def on_start(self, event: event.Event) -> None:
        dispatcher = event.data["dispatcher"]
        if id(dispatcher) in _KERNELS:
            kept = dispatcher.stats.cache_path or "nowhere (no writable folder)"
            name = f"{dispatcher.py_func.__module__}.{dispatcher.py_func.__name__}"
            _LOG.info("compiling %s for new argument types; cached in: %s", name, kept)

    def on_end(self, event: event.Event) -> None:
        """Log nothing."""


event.register("numba:compile", _Announcement())  # type: ignore[no-untyped-call]
