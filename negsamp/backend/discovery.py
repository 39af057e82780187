"""How backends are found, chosen by the arrays of a call, and imported.

A backend is published by any distribution under the entry point group ``negsamp.backends``. Its
framework is imported only when the arrays of a call, or a name, select it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any

from negsamp.backend.interface import Backend
from negsamp.errors import BackendNotInstalledError, ConfigError, InvalidInputError, NegSampError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "BackendReport",
    "available_backends",
    "check_framework",
    "check_name",
    "framework_of",
    "how_to_avoid",
    "load_backend",
    "report_backends",
    "resolve_name",
]

_GROUP, _ARRAYS_GROUP = "negsamp.backends", "negsamp.arrays"
_ENVIRONMENT = "NEGSAMP_BACKEND"
_COMPILED, _COMPILED_FOR = "numba", ("numpy", "torch")
_EXTRAS = ("numba", "tensorflow", "torch")


@dataclass(frozen=True)
class BackendReport:
    """What ``negsamp info`` shows of a backend.

    Attributes
    ----------
    name : str
        The name that ``backend=`` takes.
    details : mapping of str to str
        Version, devices and whatever else the backend reports; empty if it cannot be used.
    problem : str or None
        Why it cannot be used, and what to do; None if it can.
    """

    name: str
    details: Mapping[str, str]
    problem: str | None


@cache
def _entry_points() -> dict[str, EntryPoint]:
    """Return the published backends by name, cached for the life of the process."""
    return {point.name: point for point in _published(_GROUP)}


@cache
def _owners() -> dict[str, str]:
    """Map array packages to their backends, where the two have different names."""
    return {point.name: point.value for point in _published(_ARRAYS_GROUP)}


def _published(group: str) -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # noqa: PLC0415  (slow to import)

    return entry_points(group=group)


def check_name(name: str, origin: str = "") -> None:
    """Raise ConfigError unless `name` is "auto" or the name of a backend."""
    known = ["auto", *sorted(_entry_points())]
    if name not in known:
        nearest = get_close_matches(str(name), known, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        if str(name).partition(":")[0] in ("cuda", "cpu", "gpu"):
            hint = "; the device is that of the arrays of a call"
        raise ConfigError(f"{origin}unknown backend {name!r}; known: {', '.join(known)}{hint}")


def load_backend(name: str) -> type[Backend]:
    """Import a backend by name.

    Raises
    ------
    ConfigError
        If no installed distribution has a backend of that name.
    BackendNotInstalledError
        If it, or its framework, is missing or broken; the message says why, and what to install.
    """
    points = _entry_points()
    if name not in points:
        check_name(name)
        raise ConfigError(f"{name!r} does not name a single backend")
    try:
        backend: type[Backend] = points[name].load()
    except Exception as error:  # a broken framework may raise anything
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        hint = f': pip install "negsamp[{name}]"' if missing and name in _EXTRAS else ""
        raise BackendNotInstalledError(
            f"backend {name!r} cannot be imported ({type(error).__name__}: {error}){hint}",
            name=missing,
        ) from error
    return backend


def report_backends() -> list[BackendReport]:
    """Report what every backend runs on, or why it cannot be used; imports the frameworks."""
    reports = []
    for name in sorted(_entry_points()):
        try:
            reports.append(BackendReport(name, load_backend(name).report(), None))
        except BackendNotInstalledError as error:
            reports.append(BackendReport(name, {}, str(error)))
    return reports


def available_backends() -> tuple[str, ...]:
    """Return the names of the backends that work here; imports their frameworks to find out.

    Returns
    -------
    tuple of str
        Sorted names that ``backend=`` takes.

    Examples
    --------
    >>> from negsamp import available_backends
    >>> "numpy" in available_backends()
    True
    """
    return tuple(report.name for report in report_backends() if report.problem is None)


def resolve_name(name: str, *arrays: Any) -> str:
    """Return the name of the backend for a call: `name`, or for "auto" that of the arrays.

    The environment variable NEGSAMP_BACKEND replaces "auto" if it is set. An array belongs to the
    framework that defines its type, see :class:`Backend`, and a Keras variable to that of its
    value. NumPy arrays, Python sequences and objects without a shape go with any framework. NumPy
    arrays, and PyTorch tensors on the CPU, belong to the Numba backend where it is installed.

    Raises
    ------
    ConfigError
        If the name is unknown, the arrays are of two frameworks, or of one without a backend.
    """
    if name == "auto":
        name = os.environ.get(_ENVIRONMENT) or "auto"
        check_name(name, origin=f"environment variable {_ENVIRONMENT}: ")
    if name != "auto":
        return name
    roots = {framework_of(array) for array in arrays if hasattr(type(array), "shape")}
    frameworks = sorted(roots - {"numpy", "builtins"})
    if len(frameworks) > 1:
        raise ConfigError(f"arrays of different frameworks in one call: {', '.join(frameworks)}")
    framework = frameworks[0] if frameworks else "numpy"
    if framework in _COMPILED_FOR and all(map(_is_on_cpu, arrays)) and _is_compiled():
        return _COMPILED
    if framework not in (known := sorted(_entry_points())):
        raise ConfigError(
            f"no backend for arrays of {framework!r}; backends: {', '.join(known)}: "
            "pass NumPy arrays, or name a backend that takes them"
        )
    return framework


def framework_of(array: Any) -> str:
    """Return the framework of an array's type, as in "numpy", "torch", "builtins"."""
    root: str = type(array).__module__.partition(".")[0]
    if root == "keras" and hasattr(array, "value"):
        return framework_of(array.value)
    return _owners().get(root, root)


def check_framework(name: str, takes: str, values: Any) -> None:
    """Raise InvalidInputError unless `values` are of the backend's framework, NumPy or Python.

    `takes` says what the backend accepts, for the message.
    """
    framework = framework_of(values)
    if framework not in (name, "numpy", "builtins"):
        other = f"{how_to_avoid(name)}, or " if framework in _entry_points() else ""
        raise InvalidInputError(
            f"backend {name!r} takes {takes}; got {type(values).__name__} of {framework}: "
            f"{other}convert the array"
        )


def how_to_avoid(name: str) -> str:
    """Return the advice by which a call uses the backend of its arrays, not the one named."""
    if os.environ.get(_ENVIRONMENT) == name:
        return f"unset the environment variable {_ENVIRONMENT}, which names it"
    return "use backend='auto'"


def _is_on_cpu(array: Any) -> bool:
    device = getattr(array, "device", "cpu")
    return bool(getattr(device, "type", device) == "cpu")


@cache
def _is_compiled() -> bool:
    """Return whether the Numba backend can be imported; tried once per process."""
    try:
        load_backend(_COMPILED)
    except NegSampError:
        return False
    return True
