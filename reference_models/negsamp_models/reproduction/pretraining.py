"""Pre-trainings that runs begin with: one for a data set and seed, shared by all that need it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from negsamp_models.datasets import load_dataset
from negsamp_models.run_key import decisive
from negsamp_models.s3rec.records import PretrainingRecord, PretrainingResult
from negsamp_models.s3rec.runs import (
    RESULT,
    WEIGHTS,
    is_pretrained,
    pretrain_in_folder,
    read_pretraining,
)
from negsamp_models.s3rec.settings import PretrainingSettings, published_epochs
from negsamp_models.s3rec.watching import Silent
from negsamp_models.s3rec.weights import Pretrained, PretrainedError, read_pretrained
from negsamp_models.settings import RunOptions, TrainingSettings

__all__ = ["PlannedPretraining"]

_SAMPLER = {"sampler": "uniform"}


@dataclass(frozen=True)
class PlannedPretraining:
    """A pre-training, made or not; its negatives are uniform, as the authors draw them.

    Attributes
    ----------
    dataset : str
        Its full name.
    settings : PretrainingSettings
        With the seed.
    """

    dataset: str
    settings: PretrainingSettings

    @classmethod
    def of(
        cls, dataset: str, settings: TrainingSettings, epochs: int | None = None
    ) -> PlannedPretraining | None:
        """Return what a run begins with: None, unless its model is S3-Rec.

        The settings are the authors', with the sizes, the dropout and the seed of the run, and with
        other epochs if they are given. In a trial of fewer epochs, pre-training has no more either.
        """
        if settings.model != "s3rec":
            return None
        shared = ("hidden_size", "num_layers", "num_heads", "max_length", "dropout", "seed")
        longest = published_epochs(dataset) if epochs is None else epochs
        epochs = min(longest, settings.max_epochs)
        same = {name: getattr(settings, name) for name in shared}
        return cls(dataset, PretrainingSettings(epochs=epochs, **same))

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What its weights depend on beside the data."""
        return {"sampler": _SAMPLER, **self.settings.decisive}

    @cached_property
    def key(self) -> str:
        """What tells it from other pre-trainings, and from runs."""
        return json.dumps(["pretraining", self.dataset, self.identity], sort_keys=True)

    @property
    def slug(self) -> str:
        """A short name of all but the seed: ``pretraining``, and what is not the authors'."""
        plain = PretrainingSettings(epochs=published_epochs(self.dataset), seed=self.settings.seed)
        changed = {k: v for k, v in self.settings.decisive.items() if v != plain.decisive[k]}
        parts = [f"{name.replace('_', '')}{value:g}" for name, value in changed.items()]
        return "-".join(["pretraining", *parts])

    @property
    def max_epochs(self) -> int:
        """How many epochs it has."""
        return self.settings.epochs

    def folder(self, results: Path) -> Path:
        """Return where its files belong."""
        return results / self.dataset.lower() / self.slug / f"seed{self.settings.seed}"

    def is_made(self, results: Path) -> bool:
        """Whether its weights and its result are there."""
        return is_pretrained(self.folder(results))

    def expected_seconds(self, results: Path) -> float | None:
        """Return how long it will take; None if nothing tells.

        What tells are the epochs of those that were made on the same data with the same hidden
        size, or else the steps that ``python -m benchmarks.pretraining`` timed by the authors'
        settings, in ``pretraining/DATASET.json`` among the results.
        """
        name = self.dataset.lower()
        made = map(read_pretraining, (results / name).glob(f"pretraining*/seed*/{RESULT}"))
        alike = [each for each in made if each.settings["hidden_size"] == self.settings.hidden_size]
        if alike:
            epochs = [median(record.seconds for record in each.epochs) for each in alike]
            return self.max_epochs * median(epochs)
        timed = results / "pretraining" / f"{name}.json"
        if self.settings.hidden_size != PretrainingSettings.hidden_size or not timed.exists():
            return None
        steps = json.loads(timed.read_text(encoding="utf-8"))
        return float(self.max_epochs * steps["num_steps"] * steps["seconds_per_step"])

    def read(self, results: Path) -> Pretrained:
        """Return its weights.

        Raises
        ------
        PretrainedError
            If the file is missing or damaged, or of another pre-training.
        """
        path = self.folder(results) / WEIGHTS
        pretrained = read_pretrained(path)
        if decisive(asdict(pretrained.provenance)) != decisive(self.identity):
            raise PretrainedError(
                f"{path} is of another pre-training than {self.slug}, seed {self.settings.seed}, "
                f"on {self.dataset}: remove its folder, and it is made again"
            )
        return pretrained

    def make(
        self,
        results: Path,
        data_dir: Path | None,
        device: str,
        on_epoch: Callable[[PretrainingRecord], object],
        on_notice: Callable[[str], object],
    ) -> PretrainingResult:
        """Pre-train in this process, from the last checkpoint if there is one, and write the files.

        Raises
        ------
        DatasetError, CheckpointError, TrainingDivergedError, RunStoppedError
            As by :func:`negsamp_models.s3rec.runs.pretrain_in_folder`.
        """
        dataset = load_dataset(self.dataset, data_dir, attributes=True)
        settings = replace(self.settings, device=device)
        watcher, options = _Teller(on_epoch, on_notice), RunOptions(resume=True)
        return pretrain_in_folder(
            dataset, settings, _SAMPLER, self.folder(results), options, watcher
        )


@dataclass
class _Teller(Silent):
    """A watcher that tells of epochs and notices."""

    tell: Callable[[PretrainingRecord], object]
    note: Callable[[str], object]

    def on_record(self, record: PretrainingRecord) -> None:
        """Tell of the epoch."""
        self.tell(record)

    def on_notice(self, text: str) -> None:
        """Tell what else there is."""
        self.note(text)
