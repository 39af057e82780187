"""How time is measured: contenders in turn, again and again, and the median of each."""

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
    """How long is measured.

    Attributes
    ----------
    least_repeats, most_repeats : int
        Rounds that each contender takes part in.
    budget : float
        Seconds of work after which a contender leaves, if it has the least repeats.
    once : float
        Seconds; a call that takes longer is made once.
    shortest_repeat : float
        Seconds; quicker calls are repeated within a repeat.
    pause : float
        Seconds of silence before each repeat, until the idle threads of the one before, some of
        which wait in a loop for more work, have gone to sleep.
    settle : float
        Calls quicker than so many seconds are made once, untimed, after the pause.
    longest_call : float
        Seconds; contenders whose call would take longer are left out.
    largest_scores : int
        Bytes; contenders whose score matrix would be larger are left out.
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
        """Return one that shows that everything works, and no more."""
        return cls(1, 1, budget=0.0, shortest_repeat=0.0, pause=0.0, settle=0.0)

    def repeats(self, seconds: float) -> int:
        """Return in how many rounds a contender takes part whose repeat takes so long."""
        if seconds > self.once:
            return 1
        affordable = math.floor(self.budget / max(seconds, 1e-9))
        return min(max(affordable, self.least_repeats), self.most_repeats)


@dataclass
class Entrant:
    """A contender whose work on a setting is ready.

    Attributes
    ----------
    contender, setting, work
        Who does what.
    estimate : float
        Seconds that one run is expected to take.
    samples : list of float
        Seconds of one call, one entry a repeat.
    trouble : tuple of (status, str), optional
        Why it has no figure, once it drew something wrong or raised an error.
    """

    contender: Contender
    setting: Setting
    work: Work
    estimate: float
    samples: list[float] = field(default_factory=list)
    trouble: tuple[Status, str] | None = None

    def runs(self, policy: Policy) -> int:
        """Return how many runs a repeat has."""
        if self.work.seconds is not None:
            return 1
        return max(1, math.ceil(policy.shortest_repeat / max(self.estimate, 1e-6)))

    def repeats(self, policy: Policy) -> int:
        """Return in how many rounds it takes part."""
        return policy.repeats(self.estimate * self.runs(policy))

    def measurement(self, policy: Policy) -> Measurement:
        """Return what came out."""
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
    """Measure entrants in turn: A B C A B C ..., not A A A B B B.

    What a machine does beside the work, and how warm it is, changes from second to second. In turn
    all contenders see the same of it, and a ratio of two medians of one run can be trusted where
    two runs could not be compared.

    Parameters
    ----------
    entrants : sequence of Entrant
        In the order in which they are measured; their samples are filled in.
    policy : Policy
        How often.
    clock : callable
        Seconds of a clock.

    Returns
    -------
    list of Measurement
        One an entrant, in their order.
    """
    wanted = [entrant.repeats(policy) for entrant in entrants]
    with _no_garbage_collection():
        for turn in range(max(wanted, default=0)):
            for entrant, repeats in zip(entrants, wanted, strict=True):
                if turn < repeats and entrant.trouble is None:
                    _add_sample(entrant, policy, clock)
    return [entrant.measurement(policy) for entrant in entrants]


def _add_sample(entrant: Entrant, policy: Policy, clock: Callable[[], float]) -> None:
    """Measure one repeat, and look at what its last run has made."""
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
    except Exception as error:  # noqa: BLE001  (the others go on)
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
