"""Pre-trainings that runs start from: one per data set, sizes and seed, shared by these runs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from negsamp_models.datasets import load_dataset
from negsamp_models.pretrained import Pretrained, PretrainedError, read_pretrained
from negsamp_models.records.run_key import decisive
from negsamp_models.runs.pretrain import (
    RESULT,
    WEIGHTS,
    is_pretrained,
    pretrain_in_folder,
    read_pretraining,
)
from negsamp_models.s3rec import PretrainingResult
from negsamp_models.s3rec.watching import PretrainingWatcher
from negsamp_models.settings import (
    PretrainingSettings,
    RunOptions,
    TrainingSettings,
    published_epochs,
)

__all__ = ["PlannedPretraining"]

_SAMPLER = {"sampler": "uniform"}


@dataclass(frozen=True)
class PlannedPretraining:
    """A pre-training, finished or not; its negatives are uniform, as in the authors' code.

    Attributes
    ----------
    dataset : str
        Full name of the data set.
    settings : PretrainingSettings
        Settings, including the seed.
    """

    dataset: str
    settings: PretrainingSettings

    @classmethod
    def of(
        cls, dataset: str, settings: TrainingSettings, epochs: int | None = None
    ) -> PlannedPretraining | None:
        """Return the pre-training that a run starts from; None unless its model is S3-Rec.

        The settings are the authors', with the sizes, the dropout and the seed of the run, and with
        `epochs` if given. The number of epochs is at most `max_epochs` of the run, so that a trial
        with few epochs pre-trains briefly too.
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
        """What the weights depend on, apart from the data."""
        return {"sampler": _SAMPLER, **self.settings.decisive}

    @cached_property
    def key(self) -> str:
        """A key that no other pre-training and no run has."""
        return json.dumps(["pretraining", self.dataset, self.identity], sort_keys=True)

    @property
    def slug(self) -> str:
        """A short name: ``pretraining``, and settings (but the seed) that are not the authors'."""
        plain = PretrainingSettings(epochs=published_epochs(self.dataset), seed=self.settings.seed)
        changed = {k: v for k, v in self.settings.decisive.items() if v != plain.decisive[k]}
        parts = [f"{name.replace('_', '')}{value:g}" for name, value in changed.items()]
        return "-".join(["pretraining", *parts])

    @property
    def max_epochs(self) -> int:
        """Number of epochs."""
        return self.settings.epochs

    def folder(self, results: Path) -> Path:
        """Return the folder of its files."""
        return results / self.dataset.lower() / self.slug / f"seed{self.settings.seed}"

    def is_made(self, results: Path) -> bool:
        """Whether its weights and its result exist."""
        return is_pretrained(self.folder(results))

    def expected_seconds(self, results: Path) -> float | None:
        """Estimate how long it will take; None without any measurement.

        The estimate uses the epochs of pre-trainings with the same data and hidden size, or else
        the steps that ``python -m benchmarks.pretraining`` timed with the authors' settings, in
        ``pretraining/DATASET.json`` in the results.
        """
        name = self.dataset.lower()
        finished = map(read_pretraining, (results / name).glob(f"pretraining*/seed*/{RESULT}"))
        size = self.settings.hidden_size
        similar = [each for each in finished if each.settings["hidden_size"] == size]
        if similar:
            epochs = [median(record.seconds for record in each.epochs) for each in similar]
            return self.max_epochs * median(epochs)
        timed = results / "pretraining" / f"{name}.json"
        if size != PretrainingSettings.hidden_size or not timed.exists():
            return None
        steps = json.loads(timed.read_text(encoding="utf-8"))
        return float(self.max_epochs * steps["num_steps"] * steps["seconds_per_step"])

    def read(self, results: Path) -> Pretrained:
        """Read its weights.

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
                f"on {self.dataset}: remove its folder to make it again"
            )
        return pretrained

    def make(
        self,
        results: Path,
        data_dir: Path | None,
        device: str,
        watcher: PretrainingWatcher,
    ) -> PretrainingResult:
        """Pre-train in this process, resuming from the last checkpoint if any, and write the files.

        Raises
        ------
        DatasetError, CheckpointError, TrainingDivergedError, RunStoppedError
            As raised by :func:`negsamp_models.runs.pretrain.pretrain_in_folder`.
        """
        dataset = load_dataset(self.dataset, data_dir, attributes=True)
        settings = replace(self.settings, device=device)
        folder, options = self.folder(results), RunOptions(resume=True)
        return pretrain_in_folder(dataset, settings, _SAMPLER, folder, options, watcher)
