"""The current state of a sampler's schedules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from negsamp.errors import ConfigError, InvalidInputError
from negsamp.schedules import Constant, Schedule
from negsamp.validation import as_count, as_number

__all__ = ["Progress", "as_schedule"]


class Progress:
    """The epoch, the last loss and the current value of each schedule."""

    def __init__(self, schedules: Mapping[str, Schedule]) -> None:
        self.schedules = dict(schedules)
        self.values = {
            name: _within(name, schedule, schedule.start()) for name, schedule in schedules.items()
        }
        self.epoch = 0
        self.previous_loss: float | None = None

    def copy(self) -> Progress:
        """Return an independent copy."""
        other = Progress(self.schedules)
        other.load_state_dict(self.state_dict())
        return other

    def set_epoch(self, epoch: int) -> None:
        """Set all values to those of an epoch."""
        epoch = as_count("epoch", epoch, low=0)
        self.values = {
            name: _within(name, schedule, schedule.at_epoch(self.values[name], epoch))
            for name, schedule in self.schedules.items()
        }
        self.epoch = epoch

    def update(self, loss: Any) -> None:
        """Update the loss-driven values; read the loss only if there are any."""
        driven = {name: each for name, each in self.schedules.items() if each.needs_loss}
        if not driven:
            return
        try:
            value = as_number("loss", loss.detach() if hasattr(loss, "detach") else loss)
        except ConfigError as error:
            raise InvalidInputError(str(error)) from None
        if (previous := self.previous_loss) is not None:
            self.values |= {
                name: _within(name, each, each.after_loss(self.values[name], previous, value))
                for name, each in driven.items()
            }
        self.previous_loss = value

    def state_dict(self) -> dict[str, Any]:
        """Return values that JSON can hold."""
        return {
            "epoch": self.epoch,
            "values": dict(self.values),
            "previous_loss": self.previous_loss,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state, or raise ConfigError and change nothing."""
        epoch = as_count("the state's epoch", state["epoch"], low=0)
        values, previous = state["values"], state["previous_loss"]
        if not isinstance(values, Mapping) or values.keys() != self.schedules.keys():
            raise ConfigError(
                f"the state has values {values!r}; this sampler has schedules for "
                f"{sorted(self.schedules)}"
            )
        for name, schedule in self.schedules.items():
            low, high = schedule.bounds
            if not low <= as_number(f"the state's {name}", values[name]) <= high:
                kept = f"at {low}" if low == high else f"in [{low}, {high}]"
                raise ConfigError(
                    f"the state has {name} = {values[name]}; this sampler keeps it {kept}: build "
                    "the sampler with a schedule that allows the value, or put an allowed value "
                    f"into state['values'][{name!r}]"
                )
        if previous is not None:
            previous = as_number("the state's previous_loss", previous)
        self.epoch, self.previous_loss = epoch, previous
        self.values = {name: float(value) for name, value in values.items()}


def as_schedule(name: str, value: Any, low: float, high: float, *, open_low: bool) -> Schedule:
    """Return a number or schedule as a schedule; raise ConfigError if it can leave the range.

    The range is [low, high], or (low, high] if `open_low`.
    """
    if isinstance(value, Schedule):
        schedule = value
    else:
        schedule = Constant(as_number(name, value, "a number or a schedule"))
    lowest, highest = schedule.bounds
    if not low <= lowest <= highest <= high or (open_low and lowest == low):
        left = "(" if open_low else "["
        raise ConfigError(f"{name} must stay in {left}{low:g}, {high:g}]; got {schedule}")
    return schedule


def _within(name: str, schedule: Schedule, value: Any) -> float:
    """Return a schedule's value as a float, or raise ConfigError.

    A user's own schedule may return a NumPy number, or a value outside its bounds.
    """
    what, (low, high) = f"{name} from its schedule {type(schedule).__name__}", schedule.bounds
    number = as_number(what, value)
    if not low <= number <= high:
        raise ConfigError(f"{what} must stay within its bounds [{low}, {high}]; got {number}")
    return number
