"""Measure memory: the peak of the process's resident memory, reset before the call."""

from __future__ import annotations

import ctypes
import gc
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.work import NotMeasuredError

__all__ = ["peak_of"]

RESET_PEAK = "5"
"""Written to ``/proc/self/clear_refs``, it resets the peak (``VmHWM``)."""


def peak_of(run: Callable[[], Any]) -> tuple[Any, int]:
    """Run a call, and return its result and the rise of resident memory at its peak, in bytes.

    Free memory of the allocator is returned to the system first; otherwise memory that the call
    takes from it would not be counted.

    Raises
    ------
    NotMeasuredError
        If the kernel does not support it, as on systems other than Linux.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text(RESET_PEAK, encoding="ascii")
    except OSError as error:
        raise NotMeasuredError(f"the peak of memory cannot be reset here ({error})") from error
    before = _status("VmRSS")
    made = run()
    return made, _status("VmHWM") - before


def _status(name: str) -> int:
    """Return a size from ``/proc/self/status``, in bytes."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(rf"^{name}:\s*(\d+) kB", text, re.MULTILINE)
    if found is None:
        raise NotMeasuredError(f"the kernel does not report {name}")
    return int(found[1]) * 1024
