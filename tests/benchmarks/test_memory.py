"""The peak of memory is that of the call: all of it, and nothing from before."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks.measuring.memory import peak_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")

MEGABYTE = 1_000_000
SLACK = 8 * MEGABYTE


def touched(size: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.ones(size, np.uint8)


def test_what_a_call_keeps_is_seen() -> None:
    made, peak = peak_of(lambda: touched(100 * MEGABYTE))
    assert made.nbytes == 100 * MEGABYTE
    assert abs(peak - 100 * MEGABYTE) < SLACK


def test_what_a_call_gives_back_is_seen_too() -> None:
    made, peak = peak_of(lambda: int(touched(100 * MEGABYTE)[0]))
    assert made == 1
    assert abs(peak - 100 * MEGABYTE) < SLACK


def test_a_higher_peak_from_before_is_not() -> None:
    assert touched(300 * MEGABYTE)[0] == 1
    _, peak = peak_of(lambda: touched(50 * MEGABYTE))
    assert abs(peak - 50 * MEGABYTE) < SLACK


def test_inputs_are_not() -> None:
    inputs = touched(200 * MEGABYTE)
    made, peak = peak_of(lambda: int(inputs[-1]))
    assert made == 1
    assert peak < SLACK
