"""Measure time: repeats of all contenders interleaved, and the median of each."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.records import Measurement, Seconds, Status
from benchmarks.settings import Setting
from benchmarks.work import Contender, Work

__all__ = ["Entrant", "Policy", "alternate"]


@dataclass(frozen=True)
class Policy:
    """Numbers of repeats, and limits.

    Attributes
    ----------
    least_repeats, most_repeats : int
        Bounds on the number of repeats of a contender.
    budget : float
        Seconds that the repeats of a contender may take, beyond the first `least_repeats`.
    once : float
        Seconds; a call that takes longer is measured once.
    shortest_repeat : float
        Seconds; a repeat has as many calls as needed to take this long.
    pause : float
        Seconds to wait before each repeat, until idle threads of the previous contender, some of
        which spin while they wait for work, have gone to sleep.
    settle : float
        Seconds; a call that takes less is made once untimed after the pause.
    longest_call : float
        Seconds; contenders whose call would take longer are skipped.
    largest_scores : int
        Bytes; contenders whose score matrix would be larger are skipped.
    """

    least_repeats: int = 3
    most_repeats: int = 9
    budget: float = 1.0
    once: float = 2.0
    shortest_repeat: float = 0.02
    pause: float = 0.05
    settle: float = 0.25
    longest_call: float = 20.0
    largest_scores: int = 2_000_000_000

    @classmethod
    def quick(cls) -> Policy:
        """Return a policy for checking that everything works; its figures mean nothing."""
        return cls(1, 1, budget=0.0, shortest_repeat=0.0, pause=0.0, settle=0.0)

    def repeats(self, seconds: float) -> int:
        """Return the number of repeats for a contender, given the seconds of one repeat."""
        if seconds > self.once:
            return 1
        affordable = math.floor(self.budget / max(seconds, 1e-9))
        return min(max(affordable, self.least_repeats), self.most_repeats)


@dataclass
class Entrant:
    """A contender prepared for a setting, with its samples.

    Attributes
    ----------
    contender, setting, work
        The contender, the setting, and its prepared work.
    estimate : float
        Expected seconds of one run.
    samples : list of float
        Seconds per call, one entry per repeat.
    trouble : tuple of (status, str), optional
        Why there is no figure, after a wrong result or an error.
    """

    contender: Contender
    setting: Setting
    work: Work
    estimate: float
    samples: list[float] = field(default_factory=list)
    trouble: tuple[Status, str] | None = None

    def runs(self, policy: Policy) -> int:
        """Return the number of runs in a repeat."""
        if self.work.seconds is not None:
            return 1
        return max(1, math.ceil(policy.shortest_repeat / max(self.estimate, 1e-6)))

    def repeats(self, policy: Policy) -> int:
        """Return the number of repeats."""
        return policy.repeats(self.estimate * self.runs(policy))

    def measurement(self, policy: Policy) -> Measurement:
        """Return the measurement of all samples."""
        if self.trouble is not None:
            return Measurement.without_figure(self.contender, self.setting, *self.trouble)
        seconds = Seconds.of(self.samples, self.runs(policy))
        return Measurement(
            self.contender.name, self.contender.role, self.setting, "measured", seconds=seconds
        )


def alternate(
    entrants: Sequence[Entrant],
    policy: Policy,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Measurement]:
    """Measure entrants interleaved: A B C A B C ..., not A A A B B B.

    Background load and temperature of a machine change from second to second. Interleaved, all
    contenders are affected alike, so that the ratio of two medians of one run is reliable where
    figures of two runs are not comparable.

    Parameters
    ----------
    entrants : sequence of Entrant
        In the order in which they are measured; their samples are filled in.
    policy : Policy
        Numbers of repeats, and limits.
    clock : callable
        Returns the time in seconds.

    Returns
    -------
    list of Measurement
        One per entrant, in their order.
    """
    wanted = [entrant.repeats(policy) for entrant in entrants]
    with _no_garbage_collection():
        for turn in range(max(wanted, default=0)):
            for entrant, repeats in zip(entrants, wanted, strict=True):
                if turn < repeats and entrant.trouble is None:
                    _add_sample(entrant, policy, clock)
    return [entrant.measurement(policy) for entrant in entrants]


def _add_sample(entrant: Entrant, policy: Policy, clock: Callable[[], float]) -> None:
    """Measure one repeat, and check the result of its last run."""
    work, runs = entrant.work, entrant.runs(policy)
    made: Any = None
    time.sleep(policy.pause)
    try:
        if entrant.estimate < policy.settle:
            made = work.run()
        started = clock()
        for _ in range(runs):
            made = work.run()
        elapsed = clock() - started
        wrong = work.wrong(made)
    except Exception as error:  # noqa: BLE001  (the others continue)
        entrant.trouble = "failed", f"{type(error).__name__}: {error}"
        return
    if wrong is not None:
        entrant.trouble = "wrong", wrong
        return
    if work.seconds is not None:
        elapsed = work.seconds(made)
    entrant.samples.append(elapsed / runs / work.calls)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
