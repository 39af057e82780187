"""What a result says of the machine and the software that made it."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

import negsamp
from negsamp_models.files.source import source_digest

__all__ = ["environment"]


def environment(device: torch.device) -> dict[str, Any]:
    """Return the environment of a result: versions, digest of the source, device, threads."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "negsamp": negsamp.__version__,
        "source": source_digest(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "device": f"{device.type} ({name})",
        "threads": torch.get_num_threads(),
    }


def _processor() -> str:
    """Return the name of the processor and its number of cores, as far as known."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.machine()
