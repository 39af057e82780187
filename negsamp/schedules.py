"""Schedules: how alpha and beta change while a model trains.

A schedule is an immutable description. The sampler keeps the value reached so far, so several
samplers can share a schedule, and so can alpha and beta.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from negsamp.errors import ConfigError
from negsamp.validation import as_count, as_number

__all__ = ["Constant", "Exponential", "Linear", "LossDriven", "Schedule"]


class Schedule(ABC):
    """Base class of schedules: where a parameter starts, and how it follows epochs and losses.

    Derive from it to add a schedule. A sampler raises ConfigError for a value that is not a finite
    number within the bounds.
    """

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """The smallest and largest value that the schedule can take, both inclusive."""

    @abstractmethod
    def start(self) -> float:
        """Return the value before the first epoch."""

    def at_epoch(self, value: float, epoch: int) -> float:
        """Return the value for `epoch`, given the value so far."""
        return value

    def after_loss(self, value: float, previous_loss: float, loss: float) -> float:
        """Return the value after a batch, given its loss and that of the previous batch."""
        return value

    @property
    def needs_loss(self) -> bool:
        """Whether the value depends on losses."""
        return type(self).after_loss is not Schedule.after_loss


@dataclass(frozen=True)
class Constant(Schedule):
    """A fixed value: what a plain number for alpha or beta becomes."""

    value: float

    def __post_init__(self) -> None:
        _check_finite(self, "value")

    @property
    def bounds(self) -> tuple[float, float]:
        """The value, twice."""
        return self.value, self.value

    def start(self) -> float:
        """Return the value."""
        return self.value

    def __repr__(self) -> str:
        return f"{self.value:g}"


@dataclass(frozen=True)
class Exponential(Schedule):
    """Grow tenfold every `m` epochs: ``min(initial * 10 ** (epoch / m), high)``.

    Parameters
    ----------
    m : float
        Number of epochs in which the value grows tenfold, > 0.
    initial : float
        Value in epoch 0, > 0.
    high : float
        Value at which growth stops, >= initial.

    Raises
    ------
    ConfigError
        If a parameter is out of its range.

    References
    ----------
    Chen et al., "Generating Negative Samples for Sequential Recommendation", eq. 7.

    Examples
    --------
    >>> from negsamp import Exponential
    >>> schedule = Exponential(m=20)
    >>> [round(schedule.at_epoch(0.0, epoch), 4) for epoch in (0, 20, 40, 60, 80)]
    [0.001, 0.01, 0.1, 1.0, 1.0]
    """

    m: float
    initial: float = 0.001
    high: float = 1.0

    def __post_init__(self) -> None:
        _check_finite(self, "m", "initial", "high")
        if self.m <= 0:
            raise ConfigError(f"{self}: m must be > 0, a number of epochs; got {self.m}")
        if not 0 < self.initial <= self.high:
            raise ConfigError(f"{self}: needs 0 < initial <= high")

    @property
    def bounds(self) -> tuple[float, float]:
        """``initial`` and ``high``."""
        return self.initial, self.high

    def start(self) -> float:
        """Return ``initial``."""
        return self.initial

    def at_epoch(self, value: float, epoch: int) -> float:
        """Return ``min(initial * 10 ** (epoch / m), high)``."""
        if epoch >= self.m * math.log10(self.high / self.initial):
            return self.high
        try:
            return float(min(self.initial * 10.0 ** (epoch / self.m), self.high))
        except OverflowError:  # of the power alone, if `initial` is tiny
            exponent = math.log10(self.initial) + epoch / self.m
            return 10.0**exponent if exponent < math.log10(self.high) else self.high


@dataclass(frozen=True)
class Linear(Schedule):
    """Change from `initial` to `final` in equal steps over `epochs` epochs, then stay constant.

    Parameters
    ----------
    initial, final : float
        Value in epoch 0, and from epoch `epochs` on.
    epochs : int
        Number of epochs until `final` is reached, >= 1.

    Raises
    ------
    ConfigError
        If a parameter is out of its range.

    Examples
    --------
    >>> from negsamp import Linear
    >>> schedule = Linear(initial=0.0, final=3.0, epochs=10)
    >>> [schedule.at_epoch(0.0, epoch) for epoch in (0, 5, 10, 99)]
    [0.0, 1.5, 3.0, 3.0]
    """

    initial: float
    final: float
    epochs: int

    def __post_init__(self) -> None:
        _check_finite(self, "initial", "final")
        object.__setattr__(self, "epochs", as_count("Linear: epochs", self.epochs))

    @property
    def bounds(self) -> tuple[float, float]:
        """The smaller and the larger of ``initial`` and ``final``."""
        return min(self.initial, self.final), max(self.initial, self.final)

    def start(self) -> float:
        """Return ``initial``."""
        return self.initial

    def at_epoch(self, value: float, epoch: int) -> float:
        """Return the value on the line between ``initial`` and ``final``."""
        if epoch >= self.epochs:
            return self.final
        share, change = epoch / self.epochs, self.final - self.initial
        if math.isinf(change):
            return self.initial * (1 - share) + self.final * share
        low, high = self.bounds
        return min(max(self.initial + change * share, low), high)  # clamps rounding errors


@dataclass(frozen=True)
class LossDriven(Schedule):
    """Raise the value by `step` after a batch whose loss fell, else lower it by `step`.

    The loss of a batch is compared with that of the previous batch; the first batch changes
    nothing. The value stays within [low, high].

    Parameters
    ----------
    initial : float
        Value before the first loss, low <= initial <= high.
    step : float
        Change per batch, >= 0. The paper does not state it.
    low, high : float
        Smallest and largest value, inclusive. The defaults are the range in which the paper tunes
        alpha; for beta set `low` above 0 and `high` to at most 1.

    Raises
    ------
    ConfigError
        If a parameter is out of its range.

    Notes
    -----
    The losses of two batches differ mostly because the batches do, so the value drifts rather than
    rises. Start from a value that works well as a constant, and keep the step small.

    References
    ----------
    Chen et al., "Generating Negative Samples for Sequential Recommendation", section 3.4.

    Examples
    --------
    >>> from negsamp import LossDriven
    >>> schedule = LossDriven(initial=1.0, step=0.1)
    >>> schedule.after_loss(1.0, previous_loss=0.7, loss=0.6)
    1.1
    >>> schedule.after_loss(1.0, previous_loss=0.6, loss=0.6)
    0.9
    """

    initial: float = 1.0
    step: float = 0.01
    low: float = 0.0
    high: float = 6.0

    def __post_init__(self) -> None:
        _check_finite(self, "initial", "step", "low", "high")
        if not self.low <= self.initial <= self.high:
            raise ConfigError(f"{self}: needs low <= initial <= high")
        if self.step < 0:
            raise ConfigError(f"{self}: step must be >= 0; got {self.step}")

    @property
    def bounds(self) -> tuple[float, float]:
        """``low`` and ``high``."""
        return self.low, self.high

    def start(self) -> float:
        """Return ``initial``."""
        return self.initial

    def after_loss(self, value: float, previous_loss: float, loss: float) -> float:
        """Return ``value + step`` if the loss fell, else ``value - step``, within the bounds."""
        moved = value + self.step if loss < previous_loss else value - self.step
        return min(max(moved, self.low), self.high)


def _check_finite(schedule: Schedule, *names: str) -> None:
    for name in names:
        value = getattr(schedule, name)
        number = as_number(f"{type(schedule).__name__}: {name}", value)
        if type(value) not in (int, float):  # a NumPy scalar: its repr is no plain number
            object.__setattr__(schedule, name, number)
