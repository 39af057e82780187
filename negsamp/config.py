"""Samplers from configuration; the constructors are the schema."""

from __future__ import annotations

import inspect
import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from negsamp.errors import ConfigError
from negsamp.genni import GenNi
from negsamp.popularity import Popularity
from negsamp.sampler import Sampler
from negsamp.schedules import Exponential, Linear, LossDriven, Schedule
from negsamp.uniform import Uniform

__all__ = ["from_config"]

T = TypeVar("T")

_SAMPLERS: dict[str, Callable[..., Sampler]] = {
    "uniform": Uniform,
    "popularity": Popularity,
    "genni": GenNi,
}
_SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "exponential": Exponential,
    "linear": Linear,
    "loss_driven": LossDriven,
}

_OTHER_FILES = (
    "a file is read as JSON if its name ends in .json, else as TOML: load other formats yourself, "
    "and pass the mapping"
)


def from_config(config: Mapping[str, Any] | str | PathLike[str], **arguments: Any) -> Sampler:
    """Build a sampler from a mapping, or from a TOML or JSON file.

    Parameters
    ----------
    config : mapping, or path of a file
        A file is read as JSON if its name ends in ".json", else as TOML. ``sampler`` names the
        class: "uniform", "popularity" or "genni". The other keys are arguments of its constructor,
        where ``items`` may be [start, stop], and ``alpha`` and ``beta`` may be mappings: their
        ``schedule`` is "exponential", "linear" or "loss_driven", and their other keys are the
        arguments of that schedule.
    **arguments
        Arguments that a file cannot hold, such as ``counts`` or ``interactions``; they override
        the configuration.

    Returns
    -------
    Uniform, Popularity or GenNi

    Raises
    ------
    ConfigError
        If the file cannot be read, a name or key is unknown (the message suggests the nearest valid
        one), an argument is missing, or a value is out of its range.

    Examples
    --------
    >>> from negsamp import from_config
    >>> from_config({"sampler": "genni", "items": [1, 12102],
    ...              "alpha": {"schedule": "loss_driven", "initial": 1.0}}).alpha
    1.0
    """
    if not isinstance(config, Mapping):
        config = _read(config)
    settings = {**config, **arguments}
    kind = settings.pop("sampler", None)
    if kind is None:
        raise ConfigError(f"the configuration has no key 'sampler'; allowed: {_listed(_SAMPLERS)}")
    build = _named("sampler", kind, _SAMPLERS)
    items = settings.get("items")
    if isinstance(items, list | tuple):
        if len(items) != 2 or not all(type(bound) is int for bound in items):
            raise ConfigError(f"items must be [start, stop] or a number of items; got {items!r}")
        settings["items"] = range(items[0], items[1])
    for name in ("alpha", "beta"):
        if isinstance(settings.get(name), Mapping):
            settings[name] = _schedule(name, settings[name])
    return _call(f"sampler {kind!r}", build, settings)


def _read(path: str | PathLike[str]) -> Mapping[str, Any]:
    if not isinstance(path, str | PathLike):
        raise ConfigError(
            f"a configuration is a mapping or the path of a file; got {type(path).__name__}"
        )
    suffix = Path(path).suffix.lower()
    language, loads = ("JSON", json.loads) if suffix == ".json" else ("TOML", tomllib.loads)
    try:
        config = loads(Path(path).read_text(encoding="utf-8-sig"))  # skips a byte-order mark
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from error
    except ValueError as error:  # of either decoder, or invalid UTF-8
        hint = "" if suffix in (".json", ".toml") else f"; {_OTHER_FILES}"
        raise ConfigError(f"{path} is not valid {language}: {error}{hint}") from error
    if not isinstance(config, Mapping):
        raise ConfigError(f"{path} must hold a mapping; it holds a {type(config).__name__}")
    return config


def _schedule(name: str, settings: Mapping[str, Any]) -> Schedule:
    arguments = dict(settings)
    kind = arguments.pop("schedule", None)
    if kind is None:
        raise ConfigError(f"{name} has no key 'schedule'; allowed: {_listed(_SCHEDULES)}")
    return _call(f"{name}'s schedule {kind!r}", _named("schedule", kind, _SCHEDULES), arguments)


def _named(what: str, name: Any, known: Mapping[str, T]) -> T:
    if not isinstance(name, str) or name not in known:
        raise ConfigError(f"unknown {what} {name!r}; allowed: {_listed(known)}{_hint(name, known)}")
    return known[name]


def _call(what: str, build: Callable[..., T], arguments: Mapping[str, Any]) -> T:
    """Call a constructor after checking the keys against its signature."""
    parameters = inspect.signature(build).parameters
    for key in arguments:
        if key not in parameters:
            raise ConfigError(
                f"unknown key {key!r} for {what}; allowed: {_listed(parameters)}"
                f"{_hint(key, parameters)}"
            )
    for key, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and key not in arguments:
            raise ConfigError(f"{what} needs the key {key!r}")
    return build(**arguments)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _hint(name: Any, known: Iterable[str]) -> str:
    nearest = get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {nearest[0]!r}?" if nearest else ""
