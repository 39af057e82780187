"""How memory is measured: the peak of a process's resident memory, reset before the call."""

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


def peak_of(run: Callable[[], Any]) -> tuple[Any, int]:
    """Run, and return what came back and the bytes by which resident memory rose at its peak.

    What is free but not yet given back to the system is given back first: memory that the call
    takes from there would not be seen.

    Raises
    ------
    NotMeasuredError
        Where the kernel cannot be asked: elsewhere than on Linux.
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
    """Return a size from the process's status, in bytes."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(rf"^{name}:\s*(\d+) kB", text, re.MULTILINE)
    if found is None:
        raise NotMeasuredError(f"the kernel does not tell {name}")
    return int(found[1]) * 1024
