"""The result of a pre-training run, without its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from negsamp import InvalidInputError

__all__ = ["PretrainingRecord", "PretrainingResult"]


@dataclass(frozen=True)
class PretrainingRecord:
    """What happened in one epoch of pre-training.

    Attributes
    ----------
    epoch : int
        From 0.
    losses : dict of str to float
        By objective, in nats: for attributes, the sum over all attributes, per item in the
        objective; for items, per masked item; for segments, per prefix that has one.
    seconds, sampling_seconds : float
        Wall-clock time of the epoch, and of drawing masked items' negatives within it.
    """

    epoch: int
    losses: dict[str, float]
    seconds: float
    sampling_seconds: float


@dataclass(frozen=True)
class PretrainingResult:
    """A finished pre-training, as its result file holds it.

    Attributes
    ----------
    dataset : str
        Name of the data set.
    num_prefixes, num_tokens : int
        Samples per epoch, and the items in them.
    sampler : dict
        Configuration of the sampler of the masked items' negatives.
    settings : dict
        The `PretrainingSettings`.
    epochs : list of PretrainingRecord
        All epochs.
    environment : dict
        Versions, a digest of the source, device, threads.
    """

    dataset: str
    num_prefixes: int
    num_tokens: int
    sampler: dict[str, Any]
    settings: dict[str, Any]
    epochs: list[PretrainingRecord]
    environment: dict[str, Any]

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> PretrainingResult:
        """Rebuild a result from the output of :meth:`to_json`."""
        names = [each.name for each in fields(cls)]
        if not isinstance(content, Mapping) or content.keys() != set(names):
            raise InvalidInputError(
                f"the result of a pre-training must have the keys {', '.join(names)}"
            )
        records = [PretrainingRecord(**record) for record in content["epochs"]]
        return cls(**{**content, "epochs": records})

    def to_json(self) -> dict[str, Any]:
        """Return JSON-serialisable values."""
        return asdict(self)
