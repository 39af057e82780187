"""Lower bound for a draw: the time of its products and exponentials, from measured rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.gpu.device import Device

__all__ = ["Rates", "measure_rates"]

SIZE, REPEATS = 8192, 9
"""Rows and columns of the square product, and timed repeats, of which the fastest counts."""
BLOCK, PROGRAMS, ROUNDS = 1024, 132 * 64, 4096
"""Shape of the exponential kernel: elements per program, programs, powers per element."""


@dataclass(frozen=True)
class Rates:
    """Rates of products and exponentials on a device, without memory traffic as a limit.

    Attributes
    ----------
    flop_per_second : float
        Rate of a square bfloat16 product; a multiply-add counts as two.
    exponentials_per_second : float
        Rate of powers of two of numbers in registers.
    """

    flop_per_second: float
    exponentials_per_second: float

    def seconds(self, rows: int, num_items: int, dim: int) -> float:
        """Return the time of a draw's arithmetic, with products and exponentials overlapping."""
        scores = rows * num_items
        return max(scores * 2 * dim / self.flop_per_second, scores / self.exponentials_per_second)


def measure_rates(device: Device) -> Rates | None:
    """Measure both rates; return None without CUDA or Triton."""
    if device.name != "cuda":
        return None
    try:
        from benchmarks.gpu.exponentials import exponentiate as kernel  # noqa: PLC0415
    except ImportError:
        return None
    square = torch.randn(SIZE, SIZE, device=device.name, dtype=torch.bfloat16)
    out = torch.empty_like(square)
    sums = torch.empty(PROGRAMS * BLOCK, device=device.name)

    def multiply() -> Any:
        return torch.mm(square, square, out=out)

    def exponentiate() -> None:
        kernel[(PROGRAMS,)](sums, ROUNDS, BLOCK)

    def fastest(run: Any) -> float:
        device.seconds(run, 3)
        return min(device.seconds(run, 1) for _ in range(REPEATS))

    return Rates(
        flop_per_second=2 * SIZE**3 / fastest(multiply),
        exponentials_per_second=PROGRAMS * BLOCK * ROUNDS / fastest(exponentiate),
    )
