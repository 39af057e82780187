"""The time of a part of each step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from negsamp_models.training.stopwatch import Stopwatch


def test_on_the_processor_it_adds_up_what_its_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Iterator[float] = iter([1.0, 3.0, 10.0, 10.5, 20.0, 21.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    stopwatch = Stopwatch(torch.device("cpu"))
    for _ in range(2):
        with stopwatch.running():
            pass
    assert stopwatch.read() == 2.5
    with stopwatch.running():
        pass
    assert stopwatch.read() == 1.0
    assert stopwatch.read() == 0.0


def test_on_a_device_it_waits_when_it_is_read_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[int] = []

    class Event:
        """An event of a device whose every kernel takes 250 ms."""

        made = 0

        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing
            self.number, Event.made = Event.made, Event.made + 1
            self.recorded = False

        def record(self) -> None:
            self.recorded = True

        def synchronize(self) -> None:
            assert self.recorded
            waited.append(self.number)

        def elapsed_time(self, other: Any) -> float:
            assert other.number in waited
            return 250.0 * float(other.number - self.number)

    monkeypatch.setattr("torch.cuda.Event", Event)
    stopwatch = Stopwatch(torch.device("cuda"))
    for _ in range(2):
        with stopwatch.running():
            assert not waited
    assert stopwatch.read() == 0.5
    assert waited == [1, 3]
    assert stopwatch.read() == 0.0
