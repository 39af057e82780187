"""A Triton kernel that only computes powers of two and adds them up."""

from __future__ import annotations

from typing import Any

import triton
from triton import language as tl

__all__ = ["exponentiate"]


@triton.jit  # type: ignore[untyped-decorator]
def exponentiate(sums: Any, rounds: Any, block: tl.constexpr) -> None:
    """Add up `rounds` powers of two in each of `block` elements of a program."""
    place = tl.program_id(0) * block + tl.arange(0, block)
    power = place.to(tl.float32) * -1e-9
    total = tl.zeros((block,), tl.float32)
    for _ in range(rounds):
        total += tl.exp2(power)
        power += 1e-6
    tl.store(sums + place, total)
