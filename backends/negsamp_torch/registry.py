"""The samplers of registered operators, by number: an operator cannot take a Python object."""

from __future__ import annotations

import itertools
from weakref import WeakValueDictionary

from negsamp.sampler import Sampler

__all__ = ["enter", "sampler_of"]

_samplers: WeakValueDictionary[int, Sampler] = WeakValueDictionary()
_numbers = itertools.count()


def enter(sampler: Sampler) -> int:
    """Register a sampler, by a weak reference, and return its number."""
    number = next(_numbers)
    _samplers[number] = sampler
    return number


def sampler_of(number: int) -> Sampler:
    """Return the sampler with a number."""
    return _samplers[number]
