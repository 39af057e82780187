"""Settings of pre-training S3-Rec."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import torch

from negsamp.validation import as_count, as_number
from negsamp_models.settings.checks import check_common
from negsamp_models.settings.devices import device_named
from negsamp_models.settings.errors import TrainingSettingsError

__all__ = ["OBJECTIVES", "ObjectiveWeights", "PretrainingSettings", "published_epochs"]


@dataclass(frozen=True)
class ObjectiveWeights:
    """The weight of each objective in the loss; none below 0, and at least one above.

    Attributes
    ----------
    associated_attributes : float
        Predict the attributes of items that are not masked.
    masked_items : float
        Predict masked items.
    masked_attributes : float
        Predict the attributes of masked items.
    segments : float
        Predict the segment that was cut out.
    """

    associated_attributes: float = 0.2
    masked_items: float = 1.0
    masked_attributes: float = 1.0
    segments: float = 0.5

    def __post_init__(self) -> None:
        for name in OBJECTIVES:
            if as_number(name, getattr(self, name)) < 0:
                raise TrainingSettingsError(name, getattr(self, name), ">= 0")
        if not any(getattr(self, name) for name in OBJECTIVES):
            raise TrainingSettingsError("at least one weight of the objectives", 0.0, "> 0")


OBJECTIVES = tuple(field.name for field in fields(ObjectiveWeights))
"""The names of the four objectives."""


@dataclass(frozen=True)
class PretrainingSettings:
    """How a model is pre-trained; the defaults are those of the authors of S3-Rec.

    Attributes
    ----------
    epochs : int
        Passes over all prefixes.
    batch_size : int
        Prefixes per batch.
    learning_rate : float
        For Adam with betas 0.9 and 0.999.
    mask_probability : float
        Of each item of a prefix except the last, which is always masked; in [0, 1].
    weights : ObjectiveWeights
    max_length : int
        Longest prefix, at least 2; a longer training part is cut to its last items.
    hidden_size, num_layers, num_heads, dropout
        As for `SASRec`.
    seed : int
        Seed of initial weights, dropout, order, masks, segments, and negatives.
    device : str
        A torch device, or "auto": CUDA if available, else the CPU.
    """

    epochs: int = 150
    batch_size: int = 100
    learning_rate: float = 1e-3
    mask_probability: float = 0.2
    weights: ObjectiveWeights = ObjectiveWeights()
    max_length: int = 50
    hidden_size: int = 64
    num_layers: int = 2
    num_heads: int = 2
    dropout: float = 0.5
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        as_count("epochs", self.epochs)
        check_common(self)
        if not 0 <= as_number("mask_probability", self.mask_probability) <= 1:
            raise TrainingSettingsError("mask_probability", self.mask_probability, "in [0, 1]")

    @property
    def decisive(self) -> dict[str, Any]:
        """What the weights depend on: all fields but the device, JSON-serialisable."""
        return {name: value for name, value in asdict(self).items() if name != "device"}

    def torch_device(self) -> torch.device:
        """Return the device to train on; raise if it is not available."""
        return device_named(self.device)


def published_epochs(dataset: str) -> int:
    """Return the authors' number of pre-training epochs on a data set; 150 for unknown ones."""
    return 100 if dataset in ("Sports_and_Outdoors", "Yelp") else 150
