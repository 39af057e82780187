"""The samplers that operators draw with: a graph holds a number in the place of one."""

from __future__ import annotations

import itertools
from weakref import WeakValueDictionary

from negsamp.sampler import Sampler

__all__ = ["enter", "sampler_of"]

_samplers: WeakValueDictionary[int, Sampler] = WeakValueDictionary()
_numbers = itertools.count()


def enter(sampler: Sampler) -> int:
    """Return a number for a sampler, which is not kept alive by that."""
    number = next(_numbers)
    _samplers[number] = sampler
    return number


def sampler_of(number: int) -> Sampler:
    """Return the sampler of a number."""
    return _samplers[number]
