"""The processes of a run, the signals they receive, and their threads."""

from __future__ import annotations

from negsamp_models.processes.distributed import (
    Processes,
    ProcessesDifferError,
    ProcessLostError,
    joined_processes,
)
from negsamp_models.processes.interruption import (
    RunStoppedError,
    StopSignals,
    end_without_parent,
    stop_with_parent,
)
from negsamp_models.processes.threads import on_threads

__all__ = [
    "ProcessLostError",
    "Processes",
    "ProcessesDifferError",
    "RunStoppedError",
    "StopSignals",
    "end_without_parent",
    "joined_processes",
    "on_threads",
    "stop_with_parent",
]
