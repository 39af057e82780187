"""Validation of a saved state before a sampler resumes from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from negsamp.errors import ConfigError
from negsamp.stream import MAX_CALLS
from negsamp.validation import as_count

__all__ = ["VERSION", "read"]

VERSION = 2
"""Version of the state's keys and their meaning; states of other versions are rejected."""

_REMEDY = (
    ": a state is for a sampler of the same configuration and data; for others build a sampler, "
    "and spawn it for a new stream"
)


def read(state: Any, own: Mapping[str, Any]) -> tuple[int, tuple[int, ...], int]:
    """Check a state, and return its seed, spawned path and number of calls.

    Parameters
    ----------
    state : mapping
        What was saved; tuples may stand for lists.
    own : mapping
        The state of the sampler that is to resume.

    Raises
    ------
    ConfigError
        If `state` has another version or other keys, belongs to another class, catalogue, law or
        number of negatives, or has a seed, path or number of calls that no sampler has.
    """
    if isinstance(state, Mapping) and state.get("version") not in (None, VERSION):
        raise ConfigError(
            f"the state has version {state['version']!r}; this negsamp reads version {VERSION}"
        )
    if not isinstance(state, Mapping) or state.keys() != own.keys():
        keys = sorted(state, key=str) if isinstance(state, Mapping) else type(state).__name__
        raise ConfigError(f"a sampler's state has the keys {sorted(own)}; got {keys}")
    for name in ("sampler", "items", "num_negatives"):
        found = list(state[name]) if isinstance(state[name], tuple) else state[name]
        if found != own[name]:
            raise ConfigError(
                f"the state has {name} = {state[name]!r}, this sampler has {own[name]!r}{_REMEDY}"
            )
    if state["law"] != own["law"]:
        raise ConfigError(_other_law(state["law"], own["law"]) + _REMEDY)
    limit, path = 2**64 - 1, state["spawned"]
    seed = as_count("the state's seed", state["seed"], 0, limit)
    if not isinstance(path, list | tuple):
        raise ConfigError(f"the state's spawned must be a list; got {path!r}")
    spawned = tuple(as_count("the state's spawned", index, 0, limit) for index in path)
    return seed, spawned, as_count("the state's call", state["call"], 0, MAX_CALLS - 1)


def _other_law(there: Any, own: Mapping[str, Any]) -> str:
    """Say which part of a law differs; digests of data mean nothing to a reader."""
    if not isinstance(there, Mapping) or there.keys() != own.keys():
        return f"the state has law = {there!r}, this sampler has {own!r}"
    name = next(each for each in own if there[each] != own[each])
    if name not in ("interactions", "counts"):
        return f"the state has {name} = {there[name]!r}, this sampler has {own[name]!r}"
    if there[name] is None or own[name] is None:
        return f"the state has {'no ' if there[name] is None else ''}{name}, unlike this sampler"
    return f"the state has other {name} than this sampler"
