"""Read grids from TOML files, one file per table or figure.

A grid has rows, each the configuration of a sampler, and optionally a sweep of one key over values.
A list in a row has values from which validation chooses: all are run with the first seed, and only
the best with the other seeds. With ``choose = true``, validation chooses among the rows in the same
way.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

from negsamp import ConfigError, NegSampError
from negsamp_models.datasets.sources import full_name
from negsamp_models.law.study import LawRequest
from negsamp_models.reproduction.forms import check_form, hint, refuse_unknown
from negsamp_models.reproduction.grids import Cell, Choice, Contrast, Gain, Grid
from negsamp_models.reproduction.planned import PlannedRun
from negsamp_models.settings import TrainingSettings
from negsamp_models.training.samplers import sampler_without_data
from negsamp_models.wording import short

__all__ = ["grid_names", "load_grid", "load_grids"]

_SETTINGS = {field.name for field in fields(TrainingSettings)} - {"seed"}
_OPEN = (
    "exclusions",
    "leak",
    "candidates",
    "alpha",
    "alpha_step",
    "seen_items",
    "layers_heads",
    "pretraining_length",
)
_KINDS = {kind: place for place, kind in enumerate(["table", "fig", *_OPEN, "beyond"])}


def grid_names() -> list[str]:
    """Return the names of the grids in the package, in the order of the page."""
    folder = files(__package__).joinpath("grids")
    names = [f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")]

    def place(name: str) -> tuple[int, int, str]:
        kind, number, rest = re.fullmatch(r"(\D*)(\d*)(.*)", name, re.ASCII).groups()  # type: ignore[union-attr]
        return _KINDS.get(kind, len(_KINDS)), int(number or 0), kind + rest

    return sorted(names, key=place)


def load_grid(
    name: str, datasets: list[str] | None = None, seeds: int | None = None, **settings: Any
) -> Grid:
    """Read a grid.

    Parameters
    ----------
    name : str
        One of :func:`grid_names`, or the path of a TOML file of the same form.
    datasets : list of str, optional
        Restrict the grid to these data sets.
    seeds : int, optional
        Number of seeds, instead of the declared one: 0, 1, ...
    **settings
        Training settings of all runs that differ from the defaults.

    Raises
    ------
    ConfigError
        If there is no such grid, it has no such data set, or the file is not a valid grid; or if a
        row leaks held-out items into the negatives and the grid does not set ``leaks = true``.
    """
    content = _read(name)
    kept = [each for each in content["datasets"] if datasets is None or each in datasets]
    if not kept:
        raise ConfigError(
            f"{name} is on {', '.join(content['datasets'])}; got {', '.join(datasets or [])}"
        )
    sweep = next(iter(content["sweep"].items())) if "sweep" in content else None
    points = [None] if sweep is None else range(len(sweep[1]))
    num_seeds = content["seeds"] if seeds is None else seeds
    law = LawRequest(**content["law"]) if "law" in content else None
    cells = []
    for dataset, row, point in product(kept, content["rows"], points):
        config = _config(content["rows"][row], dataset, sweep, point)
        try:
            choices = _choices(dataset, config, num_seeds, settings, law)
            for choice in choices:  # so that no run fails on the arguments of its sampler
                sampler_without_data(choice.runs[0].sampler)
        except NegSampError as error:
            raise ConfigError(f"the row {row!r} of the grid {name}: {error}") from None
        cells.append(Cell(dataset, row, point, choices))
    _refuse_leaks(name, content, cells)
    if choose := content.get("choose", False):
        cells = [_one_of_rows(dataset, cells, sweep) for dataset in kept]
    return Grid(
        name=Path(name).stem,
        title=content["title"],
        part=content.get("part", "own" if _is_own(name) else "paper"),
        decision=content.get("decision", ""),
        note=content.get("note", "").strip(),
        datasets=tuple(kept),
        metrics=tuple(content["metrics"]),
        rows=tuple(content["rows"]),
        sweep=sweep,
        curves=content.get("curves", False),
        choose=choose,
        paper=content.get("paper", "" if _is_own(name) else name),
        contrasts=tuple(Contrast(**_with_tuples(each)) for each in content.get("contrasts", [])),
        gains=tuple(Gain(**_with_tuples(each)) for each in content.get("gains", [])),
        paper_best=content.get("paper_best", {}),
        aim=content.get("aim", {}),
        cells=tuple(cells),
    )


def load_grids(
    names: list[str] | None,
    datasets: list[str] | None = None,
    seeds: int | None = None,
    **settings: Any,
) -> list[Grid]:
    """Read several grids, each once; without names, all that have one of the data sets.

    Parameters
    ----------
    names, datasets, seeds, **settings
        As for `load_grid`.

    Raises
    ------
    ConfigError
        As raised by `load_grid`; or if a data set is in no grid.
    """
    on = {name: _read(name)["datasets"] for name in [*grid_names(), *(names or [])]}
    known = sorted({dataset for each in on.values() for dataset in each})
    for dataset in datasets or []:
        if dataset not in known:
            raise ConfigError(
                f"no table or figure is on {dataset!r}; known: {', '.join(known)}"
                f"{hint(dataset, known)}"
            )
    wanted = dict.fromkeys(names or grid_names())
    chosen = [name for name in wanted if names or datasets is None or set(datasets) & set(on[name])]
    return [load_grid(name, datasets, seeds, **settings) for name in chosen]


def _read(name: str) -> dict[str, Any]:
    known = grid_names()
    if not _is_own(name) and name not in known:
        raise ConfigError(
            f"no table or figure {name!r}; known: {', '.join(known)}{hint(name, known)}"
        )
    own, ours = Path(name), files(__package__).joinpath("grids", f"{name}.toml")
    data = own.read_bytes() if _is_own(name) else ours.read_bytes()
    try:
        content = tomllib.loads(data.decode())
    except ValueError as error:  # not UTF-8, or not TOML
        raise ConfigError(f"{name} is not TOML: {error}") from None
    check_form(name, content)
    return content


def _is_own(name: str) -> bool:
    """Whether a grid is not one of the package."""
    return name.endswith(".toml")


def _refuse_leaks(name: str, content: Mapping[str, Any], cells: list[Cell]) -> None:
    leaks = any(run.settings.leak_held_out for cell in cells for run in cell.runs)
    if leaks and not content.get("leaks", False):
        raise ConfigError(
            f"the grid {name} leaks held-out items into the negatives; remove leak_held_out, or "
            "set leaks = true if it measures the leak itself"
        )


def _with_tuples(declared: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in declared.items()}


def _one_of_rows(dataset: str, cells: list[Cell], sweep: tuple[str, list[Any]] | None) -> Cell:
    """Combine the rows of a data set as choices of one cell."""
    choices = []
    for cell in (each for each in cells if each.dataset == dataset):
        points = () if sweep is None else (f"{sweep[0]} = {short(sweep[1][cell.point or 0])}",)
        for choice in cell.choices:
            label = ", ".join(filter(None, [cell.row, *points, choice.label]))
            choices.append(replace(choice, label=label))
    return Cell(dataset, "best on validation", None, tuple(choices))


def _config(
    declared: Mapping[str, Any],
    dataset: str,
    sweep: tuple[str, list[Any]] | None,
    point: int | None,
) -> dict[str, Any]:
    """Return a row's configuration on a data set, at a point of the sweep.

    The swept key is a training setting, an argument of the sampler, or the initial value of a
    schedule.
    """
    config = {**declared, **declared.get("on", {}).get(dataset, {})}
    if sweep is None or point is None:
        return config
    key, value = sweep[0], sweep[1][point]
    if key in _SETTINGS:
        return config | {"settings": config.get("settings", {}) | {key: value}}
    if isinstance(config.get(key), Mapping):
        return config | {key: config[key] | {"initial": value}}
    return config | {key: value}


def _choices(
    dataset: str,
    config: Mapping[str, Any],
    num_seeds: int,
    settings: Mapping[str, Any],
    law: LawRequest | None,
) -> tuple[Choice, ...]:
    dataset = full_name(dataset)
    beside = ("settings", "on", "pretraining_epochs")
    sampler = {name: value for name, value in config.items() if name not in beside}
    epochs = config.get("pretraining_epochs")
    changed = {**config.get("settings", {}), **settings}
    refuse_unknown("setting", changed, _SETTINGS)
    tuned = [name for name, value in sampler.items() if isinstance(value, list)]
    options = [{}] if not tuned else [{tuned[0]: value} for value in sampler[tuned[0]]]
    if not options:
        raise ConfigError(f"{tuned[0]} must be a value, or a list of some to choose from; got []")
    return tuple(
        Choice(
            label=", ".join(f"{name} = {short(value)}" for name, value in option.items()),
            runs=tuple(
                PlannedRun(
                    dataset, sampler | option, TrainingSettings(**changed, seed=seed), law, epochs
                )
                for seed in range(num_seeds)
            ),
        )
        for option in options
    )
