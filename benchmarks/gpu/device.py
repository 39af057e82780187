"""The measured device: its properties, and how time and memory are measured on it."""

from __future__ import annotations

import shutil
import subprocess
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import CHECKOUT, source_digest
from negsamp_models.files.environment import environment
from negsamp_torch import fused

__all__ = ["Device", "check_kernels", "check_wheel"]

PACKAGES = {
    "negsamp": "negsamp",
    "negsamp_numpy": "backends/negsamp_numpy",
    "negsamp_torch": "backends/negsamp_torch",
    "negsamp_models": "reference_models/negsamp_models",
}
CLOCKS = ("clocks.sm", "clocks.max.sm", "clocks.mem", "temperature.gpu", "power.draw")


@dataclass(frozen=True)
class Device:
    """A CUDA device, or the CPU for a dry run.

    Attributes
    ----------
    name : {"cuda", "cpu"}
        As PyTorch calls it.
    """

    name: str

    def conditions(self) -> dict[str, Any]:
        """Return the conditions of figures: the device, its current clocks, versions, source."""
        known = environment(torch.device(self.name))
        known.pop("threads")
        return {
            "machine": known.pop("device"),
            "versions": known | {"cuda": torch.version.cuda, "triton": _triton_version()},
            "source": source_digest(),
            "clocks": self.clocks(),
        }

    def clocks(self) -> dict[str, str]:
        """Return clocks (MHz), temperature (C) and power (W) from nvidia-smi, if available.

        Read right after work they are those of the work; an idle GPU lowers its clocks.
        """
        program = shutil.which("nvidia-smi")
        if self.name != "cuda" or program is None:
            return {}
        number = f"--id=GPU-{torch.cuda.get_device_properties(0).uuid}"  # this GPU alone
        query = [f"--query-gpu={','.join(CLOCKS)}", "--format=csv,noheader,nounits", number]
        asked = subprocess.run([program, *query], capture_output=True, text=True, check=False)
        values = [each.strip() for each in asked.stdout.strip().split(",")]
        return dict(zip(CLOCKS, values, strict=True)) if len(values) == len(CLOCKS) else {}

    def seconds(self, run: Callable[[], Any], runs: int) -> float:
        """Return the seconds of a number of runs, between two CUDA events."""
        if self.name != "cuda":
            started = time.perf_counter()
            for _ in range(runs):
                run()
            return time.perf_counter() - started
        first: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        last: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
        first.record()
        for _ in range(runs):
            run()
        last.record()
        last.synchronize()
        return float(first.elapsed_time(last)) / 1e3

    def peak_bytes(self, run: Callable[[], Any]) -> int | None:
        """Return by how many bytes a run raises the allocated memory of the device at its peak."""
        if self.name != "cuda":
            return None
        run()
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before

    def place(self, dtype: torch.dtype) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return a function that moves tensors to the device, floating-point ones in a dtype."""

        def put(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.to(self.name, dtype if tensor.is_floating_point() else tensor.dtype)

        return put


def check_wheel() -> None:
    """Refuse to measure a wheel that was not built from this checkout.

    Raises
    ------
    ValueError
        If a package is not installed, or one of its files differs from the checkout.
    """
    for package, folder in PACKAGES.items():
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise ValueError(f"{package} is not installed: build a wheel with `make wheel`")
        installed = Path(spec.submodule_search_locations[0])
        for path in (CHECKOUT / folder).rglob("*.py"):
            other = installed / path.relative_to(CHECKOUT / folder)
            if not other.is_file() or other.read_bytes() != path.read_bytes():
                raise ValueError(
                    f"the wheel was not built from this checkout: {other} differs from {path}; "
                    "build it again with `make wheel`"
                )


def check_kernels() -> None:
    """Refuse to measure where the library would draw on CUDA without its Triton kernels.

    Raises
    ------
    ValueError
        With the reason, as far as it is known.
    """
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        works = fused.works_on(torch.device("cuda", torch.cuda.current_device()))
    if not works:
        reasons = [str(each.message) for each in told] or ["they need a GPU of sm_80 or newer"]
        raise ValueError(f"negsamp's kernels do not run here, nothing measured: {reasons[0]}")


def _triton_version() -> str | None:
    try:
        import triton  # noqa: PLC0415  (not everywhere)
    except ImportError:
        return None
    return str(triton.__version__)
