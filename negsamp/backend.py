"""The interface between samplers (here) and backends, and how a backend is found.

A backend is a class that follows :class:`Backend`, published by any distribution under the entry
point group ``negsamp.backends``. It knows a catalogue and this protocol, but no sampler and no
schedule. A framework is imported only when the arrays of a call, or a name, select its backend.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from negsamp.errors import BackendNotInstalledError, ConfigError, InvalidInputError, NegSampError
from negsamp.interactions import Interactions
from negsamp.negatives import Negatives
from negsamp.scores import Scorer
from negsamp.stream import Stream

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "Backend",
    "BackendReport",
    "Candidates",
    "Catalogue",
    "available_backends",
    "check_framework",
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


@dataclass(frozen=True, eq=False)
class Catalogue:
    """What a backend needs to know of a sampler before the first call.

    Attributes
    ----------
    items : range
        The ids, contiguous; the item at position p has id ``items[p]``.
    interactions : Interactions or None
        The items that each user has interacted with, all in `items`.
    cumulative : int64, shape (len(items) + 1,), or None
        Sums of the integer weights of the items before each position, from 0 to the total, which
        is below 2**63. None if every item has weight 1.
    """

    items: range
    interactions: Interactions | None = None
    cumulative: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Candidates:
    """How many distinct items are pre-selected, uniformly, before scores are computed.

    Attributes
    ----------
    count : int
        Size of the subset.
    per_row : bool
        Whether each row has its own subset, or all rows of a call share one.
    """

    count: int
    per_row: bool


class Backend(Protocol):
    """What a backend provides. `Any` stands for the array type of its framework.

    ``backend="auto"`` picks the backend that is named like the package which defines an array's
    type. If the names differ, an entry point in the group ``negsamp.arrays`` maps the package to
    the backend, as in ``jaxlib = "jax"``; no import is needed to find out.

    ``rows`` is the only method that reads ids and users, and it raises if they are invalid. Its
    result is opaque to the sampler, which passes it to the methods that take `rows`.
    """

    def __init__(self, catalogue: Catalogue) -> None: ...

    @staticmethod
    def report() -> Mapping[str, str]:
        """Return details of the framework to show: at least ``version`` and ``devices``."""
        ...

    def asarray(self, values: Any, like: Any = None) -> Any:
        """Return `values` as the framework's array, on the device of `like` if given.

        Raises
        ------
        InvalidInputError
            If no array can be made of `values`, or it is one of another framework.
        """
        ...

    def to_numpy(self, array: Any) -> npt.NDArray[Any]:
        """Convert an array of the framework to NumPy."""
        ...

    def rows(self, targets: Any, users: Any, mask: Any, exclude: Any) -> Any:
        """Check ids and users, and gather what each row to be sampled excludes.

        Shapes and dtypes are already checked. `users` is None if there are no interactions.

        Raises
        ------
        InvalidInputError
            If an unmasked target or an excluded id is outside the catalogue, or a user unknown.
        """
        ...

    def check(self, wait: bool) -> None:
        """Raise the deferred errors of earlier calls.

        On an asynchronous device a backend may defer errors in ids and users, and those of
        ``by_weight`` and ``by_score``, to here. A backend whose calls raise their own errors does
        nothing.

        Parameters
        ----------
        wait : bool
            True: synchronise, so that all calls are checked. False: do not wait.
        """
        ...

    def candidates(self, rows: Any, stream: Stream, candidates: Candidates) -> Any:
        """Return the pre-selected positions, ascending: (count,) or (sampled rows, count)."""
        ...

    def by_weight(
        self, rows: Any, stream: Stream, num_negatives: int, replacement: bool
    ) -> Negatives:
        """Draw each admissible item with probability proportional to its weight.

        Raises
        ------
        NoNegativesError
            If a row has no admissible item of positive weight, or too few without replacement.
        """
        ...

    def by_score(
        self,
        rows: Any,
        stream: Stream,
        num_negatives: int,
        replacement: bool,
        score: Scorer,
        alpha: float,
        candidates: Candidates | None,
    ) -> Negatives:
        """Draw each admissible (pre-selected) item with probability proportional to exp(alpha s).

        Raises
        ------
        NoNegativesError
            If a row has no admissible item with a score above -inf, or without replacement too few.
        InvalidScoresError
            If the score of an admissible item is NaN or +inf.
        """
        ...


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
