"""How functions become machine code: once, kept on disk, and not in silence."""

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
    """Compile a function that Python calls: at its first call, without the GIL, kept on disk.

    Where neither the folder of the code nor the user's cache folder can be written to, it is
    compiled again in each process.
    """
    try:
        dispatcher: Any = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no place for the cache
        dispatcher = njit(nogil=True)(function)
    _KERNELS.add(id(dispatcher))
    _expire_with_package(dispatcher)
    return dispatcher  # type: ignore[no-any-return]


def part(*fastmath: str) -> Callable[[Function], Function]:
    """Compile a function that kernels call, with LLVM's `fastmath` flags."""
    compiled: Any = njit(fastmath=set(fastmath), forceinline=True)
    return cast(Callable[[Function], Function], compiled)


def instruction(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make an instruction of LLVM callable in kernels: see :func:`numba.extending.intrinsic`."""
    return cast(Callable[..., Any], intrinsic(function))


def _expire_with_package(dispatcher: Any) -> None:
    """Compile anew what is on disk when any file of this package has changed.

    Numba looks at the file of the kernel alone, and would run old code of the parts it calls.
    """
    cached = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if cached is not None:
        cached._source_stamp = _package_stamp()


@cache
def _package_stamp() -> tuple[tuple[str, int, int], ...]:
    """Return name, time of change and size of each file of this package."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)


class _Announcement(event.Listener):
    """Says in the log when a kernel is compiled, which takes seconds, rather than loaded."""

    def on_start(self, event: event.Event) -> None:
        dispatcher = event.data["dispatcher"]
        if id(dispatcher) in _KERNELS:
            kept = dispatcher.stats.cache_path or "nowhere, as no folder can be written to"
            name = f"{dispatcher.py_func.__module__}.{dispatcher.py_func.__name__}"
            _LOG.info("compiling %s for new types of arguments; kept in: %s", name, kept)

    def on_end(self, event: event.Event) -> None:
        """Stay silent."""


event.register("numba:compile", _Announcement())  # type: ignore[no-untyped-call]
