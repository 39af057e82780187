"""The interface between contenders and measuring code: a contender prepares work for a setting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.settings import Epoch, Setting

__all__ = ["Contender", "NotMeasuredError", "Place", "Role", "Work", "as_it_is"]

Role = Literal["ours", "reference", "peer"]
Place = Callable[[Any], Any]
"""Converts a tensor to the device and dtype to measure."""


def as_it_is(tensor: Any) -> Any:
    """Leave a tensor on the CPU, in its own dtype."""
    return tensor


class NotMeasuredError(Exception):
    """A contender cannot be measured here; the message says why."""


@dataclass(frozen=True)
class Work:
    """The work to measure.

    Attributes
    ----------
    run : callable
        Does the work once and returns its result.
    wrong : callable
        Takes the result of `run`; returns what is wrong with it, or None.
    calls : float
        Number of calls of the setting that one run is equivalent to.
    seconds : callable, optional
        Takes the result of `run`; returns the seconds that count, if not the whole run is timed.
    """

    run: Callable[[], Any]
    wrong: Callable[[Any], str | None]
    calls: float = 1.0
    seconds: Callable[[Any], float] | None = None


@dataclass(frozen=True)
class Contender:
    """An implementation to measure.

    Attributes
    ----------
    name : str
        Display name.
    role : {"ours", "reference", "peer"}
        This library; the bare work that times are divided by; or an alternative in use today.
    laws : tuple of str
        Laws of the draws that it supports, or "epoch" if it trains.
    prepare : callable
        Takes a Problem, or an Epoch; returns its Work. Imports what it needs; raises ImportError
        if that is not installed, and NotMeasuredError if it does not support the setting.
    note : str
        Remark in the report that its figures need.
    holds_scores : bool
        Whether it builds the matrix of all scores, which limits the sizes that fit into memory.
    draws : bool
        Whether it draws at all; otherwise it is measured for only one kind of draw.
    """

    name: str
    role: Role
    laws: tuple[str, ...]
    prepare: Callable[[Any], Work]
    note: str = ""
    holds_scores: bool = False
    draws: bool = True

    def takes(self, setting: Setting) -> bool:
        """Whether it is measured on a setting."""
        if isinstance(setting, Epoch):
            return "epoch" in self.laws
        first = setting.num_negatives == 1 and setting.exclude == "target"
        return setting.law in self.laws and (self.draws or first)
