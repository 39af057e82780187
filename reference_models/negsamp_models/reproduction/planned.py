"""Runs that grids request, finished or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from negsamp_models.law.study import LawRequest
from negsamp_models.records import RunResult
from negsamp_models.records.run_key import key_of, needed
from negsamp_models.reproduction.pretraining import PlannedPretraining
from negsamp_models.settings import TrainingSettings, changed_settings

__all__ = ["PlannedRun", "Step"]

_ORDER = ["gamma", "alpha", "beta", "candidates", "num_negatives"]


@dataclass(frozen=True)
class PlannedRun:
    """A run of a grid, finished or not.

    Attributes
    ----------
    dataset : str
        Full name of the data set.
    sampler : mapping
        As for :func:`negsamp_models.training.samplers.build_sampler`.
    settings : TrainingSettings
        Settings, including the seed.
    law : LawRequest or None
        The law of negatives to keep in the result, if any. A run with it also counts as the same
        run without it.
    pretraining_epochs : int or None
        Epochs of pre-training S3-Rec, if not the authors' number.
    """

    dataset: str
    sampler: Mapping[str, Any]
    settings: TrainingSettings
    law: LawRequest | None = None
    pretraining_epochs: int | None = None

    @classmethod
    def of(cls, result: RunResult) -> PlannedRun:
        """Return the run of a result."""
        run = cls(result.dataset, result.sampler, TrainingSettings(**result.settings))
        if run.pretraining is None or result.pretraining is None:
            return run
        epochs = int(result.pretraining["epochs"])
        return (
            run if epochs == run.pretraining.max_epochs else replace(run, pretraining_epochs=epochs)
        )

    @cached_property
    def key(self) -> str:
        """A key that identifies the run, independent of device and file."""
        identity = None if self.pretraining is None else self.pretraining.identity
        return key_of(self.dataset, self.sampler, asdict(self.settings), identity)

    @cached_property
    def pretraining(self) -> PlannedPretraining | None:
        """The pre-training that the run starts from, if any."""
        return PlannedPretraining.of(self.dataset, self.settings, self.pretraining_epochs)

    def first_step(self, results: Path) -> Step:
        """Return the next step for this run: its missing pre-training, or the run itself."""
        first = self.pretraining
        return self if first is None or first.is_made(results) else first

    @property
    def max_epochs(self) -> int:
        """Largest number of epochs."""
        return self.settings.max_epochs

    @property
    def slug(self) -> str:
        """A short name of all but the seed, such as ``genni-alpha2.5-beta1``."""
        changed = changed_settings(asdict(self.settings))
        sampler = needed(self.sampler)
        others = sorted(sampler.keys() - {"sampler", *_ORDER})
        named = [(name, sampler[name]) for name in [*_ORDER, *others] if name in sampler]
        parts = [
            _short(*each) for each in [*named, *changed.items()] if each != ("num_negatives", 1)
        ]
        if self.pretraining_epochs is not None:
            parts.append(f"pretraining{self.pretraining_epochs}")
        return "-".join([str(self.sampler["sampler"]), *parts])

    def file(self, folder: Path) -> Path:
        """Return the path of its result file."""
        return folder / self.dataset.lower() / self.slug / f"seed{self.settings.seed}.json"

    def is_made(self, results: Mapping[str, RunResult]) -> bool:
        """Whether there is a result, with the law if requested."""
        result = results.get(self.key)
        return result is not None and (self.law is None or result.law is not None)


Step = PlannedRun | PlannedPretraining
"""The work of one process: a run, or a pre-training."""


def _short(name: str, value: Any) -> str:
    """Format a name and value as a part of a file name."""
    name = {"num_negatives": "k", "hidden_size": "d"}.get(name, name).replace("_", "")
    if isinstance(value, Mapping):
        rest = "".join(f"-{key}{number:g}" for key, number in value.items() if key != "schedule")
        return f"{name}-{value['schedule'].replace('_', '')}{rest}"
    if value is True:
        return name
    return f"{name}{value:g}" if isinstance(value, int | float) else f"{value}"
