"""The results of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

import numpy as np

from negsamp import InvalidInputError, NegSampError
from negsamp.validation import as_number
from negsamp_models.settings import TrainingSettings

__all__ = ["CHOSEN_BY", "EpochRecord", "ResultError", "RunResult", "best_epoch", "longest_wait"]

CHOSEN_BY = "NDCG@10"
"""The validation metric that decides which epoch is best."""

_FORMER_SETTINGS = {"model": "sasrec", "leak_held_out": False}
"""Values of settings that older result files lack, because they could not be chosen then."""


class ResultError(NegSampError, ValueError):
    """The result or the log of a run is missing, damaged, of something else, or there twice."""


@dataclass(frozen=True)
class EpochRecord:
    """What happened in one epoch.

    Attributes
    ----------
    epoch : int
        From 0.
    loss : float
        Mean over the batches.
    alpha, beta : float or None
        The sampler's values at the end of the epoch; None if it has none.
    training_seconds, sampling_seconds, evaluation_seconds : float
        Wall-clock time of the epoch's batches (sampling included), of sampling alone (0 if not
        known), and of validation.
    validation : dict of str to float
        HR and NDCG in percent, seen items masked.
    num_draws : int or None
        Negatives drawn by all processes; None in results that predate this field.
    entropy : float or None
        Mean entropy, in nats, of the laws of a few fixed rows at the end of the epoch, see
        :class:`negsamp_models.training.probe.Probe`.
    """

    epoch: int
    loss: float
    alpha: float | None
    beta: float | None
    training_seconds: float
    sampling_seconds: float
    evaluation_seconds: float
    validation: dict[str, float]
    num_draws: int | None = None
    entropy: float | None = None

    @property
    def draws_per_second(self) -> float | None:
        """Negatives per second of sampling, if both are known."""
        if self.num_draws is None or self.sampling_seconds == 0:
            return None
        return self.num_draws / self.sampling_seconds

    @property
    def sampling_share(self) -> float:
        """Fraction of the training time spent on sampling."""
        return self.sampling_seconds / self.training_seconds


def best_epoch(records: Sequence[EpochRecord]) -> int:
    """Return the first epoch with the best validation; 0 before there are any."""
    return max(range(len(records)), key=lambda each: records[each].validation[CHOSEN_BY], default=0)


def longest_wait(records: Sequence[EpochRecord]) -> int:
    """Return the largest number of successive epochs without a better validation metric."""
    best = longest = 0
    for place, record in enumerate(records):
        if record.validation[CHOSEN_BY] > records[best].validation[CHOSEN_BY]:
            best = place
        longest = max(longest, place - best)
    return longest


@dataclass(frozen=True)
class RunResult:
    """A finished run, as its result file holds it.

    Attributes
    ----------
    dataset : str
        Name of the data set.
    sampler : dict
        Configuration of the sampler.
    settings : dict
        The :class:`~negsamp_models.settings.TrainingSettings`.
    best_epoch : int
        The epoch with the best validation NDCG@10, whose weights were kept.
    validation, test, test_unmasked : dict of str to float
        HR and NDCG of the kept weights, in percent; seen items are masked, except in
        `test_unmasked`.
    epochs : list of EpochRecord
        All epochs.
    environment : dict
        Versions, a digest of the source, device, threads.
    pretraining : dict or None
        The origin of the initial weights, if they were not random, see
        :class:`negsamp_models.pretrained.Provenance`, and their SHA-256.
    law : dict or None
        The law of one user's negatives, if requested, see
        :class:`negsamp_models.law.study.LawStudy`.
    data_sha256 : str or None
        That of the data set, see ``Dataset.sha256``; None in results that predate this field.
    stated_seconds : float or None
        Seconds per epoch as stated in the file that the result was read from.
    """

    dataset: str
    sampler: dict[str, Any]
    settings: dict[str, Any]
    best_epoch: int
    validation: dict[str, float]
    test: dict[str, float]
    test_unmasked: dict[str, float]
    epochs: list[EpochRecord]
    environment: dict[str, Any]
    pretraining: dict[str, Any] | None = None
    law: dict[str, Any] | None = None
    data_sha256: str | None = None
    stated_seconds: float | None = field(default=None, compare=False)

    @property
    def timed_epochs(self) -> list[EpochRecord]:
        """All epochs but the first, which includes compilation; the first if it is the only one."""
        return self.epochs[1:] or self.epochs

    @property
    def seconds_per_epoch(self) -> float:
        """Median wall-clock time of a timed epoch's batches, without validation.

        A value stated in the result file takes precedence.
        """
        if self.stated_seconds is not None:
            return self.stated_seconds
        return float(np.median([record.training_seconds for record in self.timed_epochs]))

    @property
    def sampling_share(self) -> float:
        """Fraction of the timed epochs' training time spent on sampling."""
        sampling = sum(record.sampling_seconds for record in self.timed_epochs)
        return sampling / sum(record.training_seconds for record in self.timed_epochs)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RunResult:
        """Rebuild a result from the output of :meth:`to_json`.

        Raises
        ------
        ValueError, TypeError
            If it is not such output: a key, a setting or an epoch is missing, unknown or invalid.
        """
        names = [each.name for each in fields(cls) if each.default is MISSING]
        if not isinstance(content, Mapping) or not content.keys() >= set(names):
            raise InvalidInputError(f"the result of a run must have the keys {', '.join(names)}")
        values = {name: content[name] for name in names}
        values["epochs"] = [EpochRecord(**record) for record in content["epochs"]]
        values["settings"] = settings = _FORMER_SETTINGS | content["settings"]
        if missing := asdict(TrainingSettings(**settings)).keys() - settings.keys():
            raise InvalidInputError(f"the settings lack {', '.join(sorted(missing))}")
        if not values["epochs"]:
            raise InvalidInputError("there is no epoch")
        values |= {name: content.get(name) for name in ("pretraining", "law", "data_sha256")}
        if (stated := content.get("seconds_per_epoch")) is not None:
            values["stated_seconds"] = as_number("seconds_per_epoch", stated)
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Return JSON-serialisable values."""
        content = asdict(self)
        del content["stated_seconds"]
        for name in ("law", "data_sha256"):
            if content[name] is None:
                del content[name]
        return content | {
            "seconds_per_epoch": self.seconds_per_epoch,
            "sampling_share": self.sampling_share,
        }
