"""Contenders are measured in turn, and what counts is the median."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.measuring.timing import Entrant, Policy, alternate
from benchmarks.work import Work
from tests.benchmarks.made_up import DRAW, contender


class Clock:
    """A clock that only work moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[str] = []

    def __call__(self) -> float:
        return self.now

    def work(self, name: str, seconds: list[float]) -> Callable[[], str]:
        left = iter(seconds)

        def run() -> str:
            self.log.append(name)
            self.now += next(left)
            return name

        return run


def entrant(
    name: str, run: Callable[[], object], estimate: float = 0.5, calls: float = 1.0
) -> Entrant:
    work = Work(run, lambda made: None if made == name else f"made {made}", calls=calls)
    return Entrant(contender(name, lambda _: work), DRAW, work, estimate)


def test_turns_alternate_and_each_has_the_median_of_its_own_repeats(policy: Policy) -> None:
    clock = Clock()
    a = entrant("a", clock.work("a", [1.0, 9.0, 2.0, 4.0]))
    b = entrant("b", clock.work("b", [10.0, 30.0, 20.0, 90.0]))
    first, second = alternate([a, b], policy, clock)
    assert clock.log == ["a", "b"] * 4
    assert first.seconds is not None
    assert second.seconds is not None
    assert (first.seconds.median, first.seconds.min, first.seconds.max) == (3.0, 1.0, 9.0)
    assert (second.seconds.median, second.seconds.repeats) == (25.0, 4)


@pytest.mark.parametrize(
    ("seconds", "repeats"), [(0.01, 9), (0.4, 5), (0.5, 4), (1.9, 3), (2.1, 1), (60.0, 1)]
)
def test_repeats_follow_from_the_budget(policy: Policy, seconds: float, repeats: int) -> None:
    assert policy.repeats(seconds) == repeats


def test_a_short_call_is_repeated_within_a_repeat() -> None:
    clock = Clock()
    policy = Policy(shortest_repeat=0.02, pause=0.0, settle=0.0, most_repeats=3)
    quick = entrant("a", clock.work("a", [0.25] * 12), estimate=0.005)
    (measurement,) = alternate([quick], policy, clock)
    assert len(clock.log) == 3 * 4
    assert measurement.seconds is not None
    assert (measurement.seconds.median, measurement.seconds.calls) == (0.25, 4)


def test_a_short_call_is_made_once_untimed_after_the_pause() -> None:
    clock = Clock()
    policy = Policy(shortest_repeat=0.0, pause=0.0, settle=1.0, most_repeats=3)
    (measurement,) = alternate([entrant("a", clock.work("a", [7.0, 1.0] * 3))], policy, clock)
    assert measurement.seconds is not None
    assert measurement.seconds.max == 1.0


def test_one_run_may_stand_for_several_calls(policy: Policy) -> None:
    clock = Clock()
    (measurement,) = alternate([entrant("a", clock.work("a", [6.0] * 4), calls=4.0)], policy, clock)
    assert measurement.seconds is not None
    assert measurement.seconds.median == 1.5


def test_seconds_that_the_work_tells_count(policy: Policy) -> None:
    work = Work(lambda: 0.25, lambda _: None, seconds=lambda made: made)
    (measurement,) = alternate([Entrant(contender("a", lambda _: work), DRAW, work, 1.0)], policy)
    assert measurement.seconds is not None
    assert measurement.seconds.median == 0.25


def test_a_wrong_draw_has_no_time_and_the_others_go_on(policy: Policy) -> None:
    clock = Clock()
    wrong = entrant("a", clock.work("b", [1.0] * 9))
    right = entrant("c", clock.work("c", [1.0] * 9))
    first, second = alternate([wrong, right], policy, clock)
    assert (first.status, first.reason, first.seconds) == ("wrong", "made b", None)
    assert second.status == "measured"
    assert clock.log.count("b") == 1


def test_an_error_is_told_and_the_others_go_on(policy: Policy) -> None:
    def fail() -> None:
        raise MemoryError("too much")

    clock = Clock()
    right = entrant("c", clock.work("c", [1.0] * 9))
    first, second = alternate([entrant("a", fail), right], policy, clock)
    assert (first.status, first.reason) == ("failed", "MemoryError: too much")
    assert second.status == "measured"
