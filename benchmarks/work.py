"""The seam between who is measured and how: a contender prepares work for a setting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.settings import Epoch, Setting

__all__ = ["Contender", "NotMeasuredError", "Place", "Role", "Work", "as_it_is"]

Role = Literal["ours", "reference", "peer"]
Place = Callable[[Any], Any]
"""Puts a tensor where, and in the dtype in which, it is measured."""


def as_it_is(tensor: Any) -> Any:
    """Leave a tensor on the CPU, in its own dtype."""
    return tensor


class NotMeasuredError(Exception):
    """A contender cannot be measured here; the message says why."""


@dataclass(frozen=True)
class Work:
    """What is measured.

    Attributes
    ----------
    run : callable
        Does the work once and returns what it made.
    wrong : callable
        Is given what `run` returned; says what is wrong with it, or returns None.
    calls : float
        How many calls of the setting one run stands for.
    seconds : callable, optional
        Is given what `run` returned; returns the seconds that count, where these are not all.
    """

    run: Callable[[], Any]
    wrong: Callable[[Any], str | None]
    calls: float = 1.0
    seconds: Callable[[Any], float] | None = None


@dataclass(frozen=True)
class Contender:
    """Who is measured.

    Attributes
    ----------
    name : str
        As people read it.
    role : {"ours", "reference", "peer"}
        This library; the bare work that times are compared with; or what people use now.
    laws : tuple of str
        The laws of the settings in which it takes part, "epoch" for those that train.
    prepare : callable
        Is given a Problem, or an Epoch; returns its Work. Imports what it needs, and raises
        ImportError where that is not installed, NotMeasuredError where it cannot take part.
    note : str
        What a reader has to know to read its figures.
    holds_scores : bool
        Whether it builds the matrix of all scores, so that memory may forbid it.
    draws : bool
        Whether it draws at all; what does not is measured for the first kind of draw alone.
    """

    name: str
    role: Role
    laws: tuple[str, ...]
    prepare: Callable[[Any], Work]
    note: str = ""
    holds_scores: bool = False
    draws: bool = True

    def takes(self, setting: Setting) -> bool:
        """Return whether it takes part in a setting."""
        if isinstance(setting, Epoch):
            return "epoch" in self.laws
        first = setting.num_negatives == 1 and setting.exclude == "target"
        return setting.law in self.laws and (self.draws or first)
