"""Grids of runs, as their TOML files declare them: one file a table or figure.

A grid has rows, each a sampler's configuration, and perhaps a sweep of one key over values. A list
in a row stands for values that validation chooses from: all are run with the first seed, and the
best with the others; with ``choose = true`` it chooses among the rows in the same way.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from negsamp import ConfigError
from negsamp_models.datasets.sources import full_name
from negsamp_models.law import LawRequest
from negsamp_models.records import RunResult
from negsamp_models.reproduction.pretraining import PlannedPretraining, decisive
from negsamp_models.settings import TrainingSettings

__all__ = [
    "Cell",
    "Choice",
    "Contrast",
    "Grid",
    "PlannedRun",
    "Step",
    "grid_names",
    "key_of",
    "load_grid",
]

_ORDER = ["gamma", "alpha", "beta", "candidates", "num_negatives"]
_SETTINGS = {field.name for field in fields(TrainingSettings)}
_PARTS = ("paper", "open", "beyond")
_OPEN = ("exclusions", "leak", "candidates", "alpha_step", "seen_items", "layers_heads")
_KINDS = {kind: place for place, kind in enumerate(["table", "fig", *_OPEN, "beyond"])}


@dataclass(frozen=True)
class PlannedRun:
    """A run of a grid, made or not.

    Attributes
    ----------
    dataset : str
        Its full name.
    sampler : mapping
        As for :func:`negsamp_models.samplers.build_sampler`.
    settings : TrainingSettings
        With the seed.
    law : LawRequest or None
        What of the negatives' law the result must hold. A run with it serves as one without.
    """

    dataset: str
    sampler: Mapping[str, Any]
    settings: TrainingSettings
    law: LawRequest | None = None

    @classmethod
    def of(cls, result: RunResult) -> PlannedRun:
        """Return the run that a result is of."""
        return cls(result.dataset, result.sampler, TrainingSettings(**result.settings))

    @cached_property
    def key(self) -> str:
        """What tells it from other runs, whatever device and file they are on."""
        begun = None if self.pretraining is None else self.pretraining.identity
        return key_of(self.dataset, self.sampler, asdict(self.settings), begun)

    @cached_property
    def pretraining(self) -> PlannedPretraining | None:
        """What has to be made before it."""
        return PlannedPretraining.of(self.dataset, self.settings)

    def first_step(self, results: Path) -> Step:
        """Return what has to be made next for it: its pre-training, or it itself."""
        begun = self.pretraining
        return self if begun is None or begun.is_made(results) else begun

    @property
    def max_epochs(self) -> int:
        """How many epochs it has at most."""
        return self.settings.max_epochs

    @property
    def slug(self) -> str:
        """A short name of all but the seed, such as ``genni-alpha2.5-beta1``."""
        plain = asdict(TrainingSettings(seed=self.settings.seed, device=self.settings.device))
        changed = {k: v for k, v in asdict(self.settings).items() if v != plain[k]}
        named = [(name, self.sampler[name]) for name in _ORDER if name in self.sampler]
        parts = [
            _short(*each) for each in [*named, *changed.items()] if each != ("num_negatives", 1)
        ]
        return "-".join([str(self.sampler["sampler"]), *parts])

    def file(self, folder: Path) -> Path:
        """Return where its result belongs."""
        return folder / self.dataset.lower() / self.slug / f"seed{self.settings.seed}.json"

    def is_made(self, results: Mapping[str, RunResult]) -> bool:
        """Whether there is a result, with the law if that is asked for."""
        result = results.get(self.key)
        return result is not None and (self.law is None or result.law is not None)


Step = PlannedRun | PlannedPretraining
"""What is made by one process: a run, or what runs begin with."""


@dataclass(frozen=True)
class Choice:
    """One configuration of a cell: the only one, or one that validation chooses from.

    Attributes
    ----------
    label : str
        What was chosen, such as ``gamma = 0.5``; empty if there was no choice.
    runs : tuple of PlannedRun
        One a seed.
    """

    label: str
    runs: tuple[PlannedRun, ...]


@dataclass(frozen=True)
class Cell:
    """A place of a table: a row on a data set, at a point of the sweep.

    Attributes
    ----------
    dataset, row : str
    point : int or None
        Index into the sweep's values.
    choices : tuple of Choice
    """

    dataset: str
    row: str
    point: int | None
    choices: tuple[Choice, ...]

    def chosen(self, results: Mapping[str, RunResult]) -> Choice | None:
        """Return the best by validation NDCG@10 with the first seed; None before all are run."""
        if len(self.choices) == 1:
            return self.choices[0]
        firsts = [results.get(choice.runs[0].key) for choice in self.choices]
        known = [result.validation["NDCG@10"] for result in firsts if result is not None]
        if len(known) < len(self.choices):
            return None
        return self.choices[known.index(max(known))]

    def missing(self, results: Mapping[str, RunResult]) -> list[PlannedRun]:
        """Return the runs to be made next: while there is a choice, those that decide it."""
        chosen = self.chosen(results)
        if chosen is None:
            wanted = [choice.runs[0] for choice in self.choices]
        else:
            wanted = list(chosen.runs)
        return [run for run in wanted if not run.is_made(results)]

    def left(self, results: Mapping[str, RunResult]) -> list[PlannedRun]:
        """Return all runs to be made; for those that wait for a choice, those of its first."""
        waiting = self.choices[0].runs[1:] if self.chosen(results) is None else ()
        return [*self.missing(results), *waiting]


@dataclass(frozen=True)
class Contrast:
    """Two rows of a grid to be compared, on each data set.

    Attributes
    ----------
    row, other : str
    at, other_at : int or None
        Indices into the sweep's values; without them, all points, each with itself.
    claim : str
        What the paper says of the two, if it says something.
    expected : {"above", "not above", "not below"}
        Where `row` is to `other` if the claim holds.
    """

    row: str
    other: str
    at: int | None = None
    other_at: int | None = None
    claim: str = ""
    expected: Literal["above", "not above", "not below"] = "above"


@dataclass(frozen=True)
class Grid:
    """A table or figure.

    Attributes
    ----------
    name, title : str
    part : {"paper", "open", "beyond"}
        Of the page: the paper's own, what it leaves open, or what goes beyond it.
    note : str
        What a reader of the results should know first.
    datasets, metrics, rows : tuple of str
    sweep : tuple of str and list, or None
        The key that is swept, and its values.
    curves : bool
        Whether validation over time is drawn.
    paper : str
        Key of the paper's figures that stand beside ours.
    contrasts : tuple of Contrast
    cells : tuple of Cell
    """

    name: str
    title: str
    part: str
    note: str
    datasets: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: tuple[str, ...]
    sweep: tuple[str, list[Any]] | None
    curves: bool
    paper: str
    contrasts: tuple[Contrast, ...]
    cells: tuple[Cell, ...]

    @property
    def swept(self) -> str:
        """What is swept, in words; nothing without a sweep."""
        key = "" if self.sweep is None else self.sweep[0]
        return {"num_negatives": "k", "num_layers": "layers"}.get(key, key).replace("_", " ")

    def missing(self, results: Mapping[str, RunResult]) -> list[PlannedRun]:
        """Return the runs to be made next, each once."""
        runs = {run.key: run for cell in self.cells for run in cell.missing(results)}
        return list(runs.values())


def key_of(
    dataset: str,
    sampler: Mapping[str, Any],
    settings: Mapping[str, Any],
    pretraining: Mapping[str, Any] | None = None,
) -> str:
    """Return what runs are told apart by: all but the device; pre-training, if there was one."""
    settings = {name: value for name, value in settings.items() if name != "device"}
    told = [dataset, _as_floats({"num_negatives": 1, **sampler}), _as_floats(settings)]
    if pretraining is not None:
        told.append(_as_floats(decisive(pretraining)))
    return json.dumps(told, sort_keys=True)


def grid_names() -> list[str]:
    """Return the names of the grids that come with the package, in the order of the page."""
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
        Only these of its data sets.
    seeds : int, optional
        Another number of seeds than it declares: 0, 1, ...
    **settings
        Training settings of all runs that differ from the defaults.

    Raises
    ------
    ConfigError
        If there is no such grid, it has no such data set, or the file is not a grid's; or if a row
        leaks held-out items into the negatives and the grid does not say ``leaks = true``.
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
    for dataset in kept:
        for row, declared in content["rows"].items():
            for point in points:
                config = dict(declared) | declared.get("on", {}).get(dataset, {})
                if sweep is not None and point is not None:
                    config = _at(config, sweep[0], sweep[1][point])
                choices = _choices(dataset, config, num_seeds, settings, law)
                cells.append(Cell(dataset, row, point, choices))
    _refuse_leaks(name, content, cells)
    if content.get("choose", False):
        cells = [_one_of_rows(dataset, cells) for dataset in kept]
    return Grid(
        name=Path(name).stem,
        title=content["title"],
        part=content.get("part", "paper"),
        note=content.get("note", "").strip(),
        datasets=tuple(kept),
        metrics=tuple(content["metrics"]),
        rows=tuple(content["rows"]),
        sweep=sweep,
        curves=content.get("curves", False),
        paper=content.get("paper", Path(name).stem),
        contrasts=tuple(Contrast(**each) for each in content.get("contrasts", [])),
        cells=tuple(cells),
    )


def _read(name: str) -> dict[str, Any]:
    if name.endswith(".toml"):
        text = Path(name).read_text(encoding="utf-8")
    elif name in grid_names():
        text = files(__package__).joinpath("grids", f"{name}.toml").read_text(encoding="utf-8")
    else:
        nearest = get_close_matches(name, grid_names(), n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise ConfigError(f"no table or figure {name!r}; known: {', '.join(grid_names())}{hint}")
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name} is not TOML: {error}") from None
    missing = {"title", "datasets", "seeds", "metrics", "rows"} - content.keys()
    if missing:
        raise ConfigError(f"the grid {name} lacks {', '.join(sorted(missing))}")
    if (part := content.get("part", "paper")) not in _PARTS:
        raise ConfigError(f"part of the grid {name} must be {' or '.join(_PARTS)}; got {part!r}")
    return content


def _refuse_leaks(name: str, content: Mapping[str, Any], cells: list[Cell]) -> None:
    runs = [run for cell in cells for choice in cell.choices for run in choice.runs]
    if any(run.settings.leak_held_out for run in runs) and not content.get("leaks", False):
        raise ConfigError(
            f"the grid {name} leaks held-out items into the negatives; take leak_held_out away, or "
            "say leaks = true if the leak itself is what it measures"
        )


def _one_of_rows(dataset: str, cells: list[Cell]) -> Cell:
    """Make the rows of a data set the choices of one cell."""
    rows = [cell for cell in cells if cell.dataset == dataset]
    choices = [replace(choice, label=cell.row) for cell in rows for choice in cell.choices]
    return Cell(dataset, "best on validation", None, tuple(choices))


def _at(config: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Set a swept key: a training setting, a sampler's, or the initial value of a schedule."""
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
    name = full_name(dataset)
    sampler = {name: v for name, v in config.items() if name not in ("settings", "on")}
    changed = {**config.get("settings", {}), **settings}
    tuned = [name for name, value in sampler.items() if isinstance(value, list)]
    options = [{}] if not tuned else [{tuned[0]: value} for value in sampler[tuned[0]]]
    return tuple(
        Choice(
            label=", ".join(f"{name} = {value:g}" for name, value in option.items()),
            runs=tuple(
                PlannedRun(name, sampler | option, TrainingSettings(**changed, seed=seed), law)
                for seed in range(num_seeds)
            ),
        )
        for option in options
    )


def _as_floats(config: Mapping[str, Any]) -> dict[str, Any]:
    """Write every number as a float: 1 and 1.0 are the same configuration."""
    return {
        name: _as_floats(value)
        if isinstance(value, Mapping)
        else float(value)
        if isinstance(value, int) and not isinstance(value, bool)
        else value
        for name, value in config.items()
    }


def _short(name: str, value: Any) -> str:
    """Return a name and value as a part of a file's name."""
    name = {"num_negatives": "k", "hidden_size": "d"}.get(name, name).replace("_", "")
    if isinstance(value, Mapping):
        rest = "".join(f"-{key}{number:g}" for key, number in value.items() if key != "schedule")
        return f"{name}-{value['schedule'].replace('_', '')}{rest}"
    if value is True:
        return name
    return f"{name}{value:g}" if isinstance(value, int | float) else f"{value}"
