"""The form of the file of a grid: the keys that it may have, and the kinds of their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from typing import Any

from negsamp import ConfigError
from negsamp_models.law.study import LawRequest
from negsamp_models.reproduction.grids import BEST, Contrast, Gain, Grid
from negsamp_models.reproduction.metrics import METRICS

__all__ = ["check_form", "hint", "refuse_unknown"]

_NEEDED = {"title", "datasets", "seeds", "metrics", "rows"}
_KEYS = {each.name for each in fields(Grid)} - {"name", "cells"}
_KEYS |= {"seeds", "law", "leaks"}
_FORMS: dict[str, tuple[type, str]] = {
    "title": (str, "text"),
    "decision": (str, "text"),
    "note": (str, "text"),
    "datasets": (list, "a list of names"),
    "seeds": (int, "a number of seeds"),
    "metrics": (list, "a list of metrics, such as ['HR@5']"),
    "rows": (dict, "a table of rows"),
    "contrasts": (list, "a list of contrasts"),
    "gains": (list, "a list of gains"),
}
_PARTS = ("paper", "open", "beyond")
_EXPECTED = ("above", "below", "not above", "not below")


def check_form(name: str, content: Mapping[str, Any]) -> None:
    """Refuse what is not the content of a grid; its samplers and settings are not checked.

    Raises
    ------
    ConfigError
        If a key is unknown or missing, or a value is of the wrong kind; the message names it.
    """
    if missing := _NEEDED - content.keys():
        raise ConfigError(f"the grid {name} lacks the keys {', '.join(sorted(missing))}")
    refuse_unknown("key of a grid", content, _KEYS)
    _refuse_wrong_forms(name, content)
    _refuse_wrong_rows(name, content["rows"], content["datasets"])
    for what, kind, tables in (
        ("law", LawRequest, [content.get("law", {})]),
        ("a contrast", Contrast, content.get("contrasts", [])),
        ("a gain", Gain, content.get("gains", [])),
    ):
        for table in tables:
            _refuse_wrong_keys(what, table, kind)
    for what, key in (("a contrast", "contrasts"), ("a gain", "gains")):
        for table in content.get(key, []):
            _refuse_unknown_names(what, table, content)
    for contrast in content.get("contrasts", []):
        refuse_unknown("expected of a contrast", [contrast.get("expected", "above")], _EXPECTED)
        _refuse_unknown_points(contrast, content)


def refuse_unknown(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Refuse the first of some names that is not known, with the likeliest that is meant."""
    known = sorted(known)
    for name in names:
        if name not in known:
            raise ConfigError(
                f"unknown {what} {name!r}; known: {', '.join(known)}{hint(str(name), known)}"
            )


def hint(name: str, known: Iterable[str]) -> str:
    """Return a question that names the known name most like another; "" without any."""
    nearest = get_close_matches(name.lower(), [each.lower() for each in known], n=1)
    likely = [each for each in known if [each.lower()] == nearest]
    return f"; did you mean {likely[0]!r}?" if likely else ""


def _refuse_wrong_forms(name: str, content: Mapping[str, Any]) -> None:
    for key in _FORMS.keys() & content.keys():
        kind, words = _FORMS[key]
        if not isinstance(value := content[key], kind):
            raise ConfigError(f"{key} of the grid {name} must be {words}; got {value!r}")
        if key in _NEEDED and value in ([], {}):
            raise ConfigError(f"{key} of the grid {name} must be {words}; got none")
    refuse_unknown(f"metric of the grid {name}", content["metrics"], METRICS)
    if content["seeds"] < 1:
        raise ConfigError(f"seeds of the grid {name} must be >= 1; got {content['seeds']}")
    if (part := content.get("part", "paper")) not in _PARTS:
        raise ConfigError(f"part of the grid {name} must be {' or '.join(_PARTS)}; got {part!r}")
    for key in ("contrasts", "gains"):
        if content.get("choose") and content.get(key):
            raise ConfigError(
                f"the grid {name} chooses one of its rows, and cannot compare them: leave out "
                f"either choose or {key}"
            )
    if content.get("curves") and "sweep" in content:
        raise ConfigError(f"the grid {name} has a sweep, and cannot draw curves: leave out either")
    if "sweep" in content and not _is_sweep(content["sweep"]):
        raise ConfigError(
            f"sweep of the grid {name} must be one key and its values, such as "
            f"{{ alpha = [1, 2] }}; got {content['sweep']!r}"
        )


def _is_sweep(value: Any) -> bool:
    """Whether a value is a table of one key, and that a list with something in it."""
    return (
        isinstance(value, dict)
        and len(value) == 1
        and all(isinstance(each, list) and each for each in value.values())
    )


def _refuse_wrong_rows(name: str, rows: Mapping[str, Any], datasets: Iterable[str]) -> None:
    for row, declared in rows.items():
        which = f"the row {row!r} of the grid {name}"
        if not isinstance(declared, dict) or not isinstance(declared.get("sampler"), str):
            raise ConfigError(
                f"{which} must be a table that has a sampler, such as "
                f'{{ sampler = "uniform" }}; got {declared!r}'
            )
        for key in ("settings", "on"):
            if not isinstance(table := declared.get(key, {}), dict):
                raise ConfigError(f"{key} of {which} must be a table; got {table!r}")
        refuse_unknown(f"data set in {which}", declared.get("on", {}), datasets)
        for dataset, table in declared.get("on", {}).items():
            if not isinstance(table, dict):
                raise ConfigError(f"on.{dataset} of {which} must be a table; got {table!r}")


def _refuse_wrong_keys(what: str, table: Any, kind: type[Any]) -> None:
    """Refuse a table that does not have the fields of a dataclass."""
    if not isinstance(table, dict):
        raise ConfigError(f"{what} must be a table; got {table!r}")
    refuse_unknown(f"key of {what}", table, (each.name for each in fields(kind)))
    needed = {each.name for each in fields(kind) if each.default is MISSING}
    if missing := needed - table.keys():
        raise ConfigError(f"{what} lacks the keys {', '.join(sorted(missing))}; got {table!r}")


def _refuse_unknown_names(what: str, table: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    """Refuse to compare rows, metrics or data sets that the grid lacks."""
    refuse_unknown(f"row of {what}", (table["row"], table["other"]), content["rows"])
    refuse_unknown(f"data set of {what}", table.get("datasets", []), content["datasets"])
    if metric := table.get("metric"):
        refuse_unknown(f"metric of {what}", [metric], content["metrics"])


def _refuse_unknown_points(contrast: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    """Refuse points that the sweep lacks, and those of one row without those of the other."""
    values = next(iter(content.get("sweep", {"": []}).values()))
    for key in ("at", "other_at"):
        points = contrast.get(key)
        if points is None or (key, points) == ("at", BEST):
            continue
        each = points if isinstance(points, list) else [points]
        if not each or any(point not in range(len(values)) for point in each):
            raise ConfigError(
                f"{key} of a contrast must be places in the sweep, counted from 0, of its "
                f"{len(values)} values; got {points!r}"
            )
    if ("at" in contrast) != ("other_at" in contrast):
        raise ConfigError(f"a contrast needs both of at and other_at, or none; got {contrast!r}")
