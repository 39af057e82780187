"""Settings of training: what its results depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from negsamp.validation import as_count
from negsamp_models.losses import bpr_loss, nce_loss, sampled_softmax_loss
from negsamp_models.settings.checks import check_common
from negsamp_models.settings.devices import device_named
from negsamp_models.settings.errors import TrainingSettingsError

__all__ = [
    "LOSSES",
    "MODELS",
    "SYNTHETIC_SETTINGS",
    "TrainingSettings",
    "changed_settings",
    "default_settings",
]

LOSSES = {"nce": nce_loss, "bpr": bpr_loss, "sampled_softmax": sampled_softmax_loss}
MODELS = {"sasrec": "SASRec", "s3rec": "S3-Rec"}
"""Display names of the models."""


@dataclass(frozen=True)
class TrainingSettings:
    """How a model is trained.

    The defaults of `patience`, `batch_size` and `learning_rate` are the paper's (section 5.1.4).
    The paper does not state hidden size, dropout, length, or the chosen layers and heads; these are
    from the code of the S3-Rec authors, on which its SASRec is built. `max_epochs` is our choice.

    Attributes
    ----------
    max_epochs, patience : int
        Training stops after `patience` epochs without a better validation NDCG@10, and after
        `max_epochs` in any case.
    batch_size : int
        Sequences per batch.
    learning_rate : float
        For Adam with betas 0.9 and 0.999.
    max_length : int
        Longest input, at least 2; a longer sequence is cut to its last items.
    hidden_size, num_layers, num_heads, dropout
        As for :class:`~negsamp_models.sasrec.SASRec`.
    loss : {"nce", "bpr", "sampled_softmax"}
        Eq. 4 of the paper, BPR (section 4.2), or a sampled softmax corrected by ``log_q``.
    exclude_interactions : bool
        Exclude all items of the user's training part from the negatives, not only the target.
    leak_held_out : bool
        With `exclude_interactions`, exclude the user's validation and test items too. The negatives
        then reveal the held-out items to the model: an ablation that measures the effect on the
        metrics, not a way to train a model. No command offers it; results, tables and the page
        mark it.
    model : {"sasrec", "s3rec"}
        SASRec from random initial weights, or from pre-trained ones (S3-Rec).
    seed : int
        Seed of initial weights, dropout, order of the batches, and negatives.
    device : str
        A torch device, or "auto": CUDA if available, else the CPU.
    """

    max_epochs: int = 300
    patience: int = 40
    batch_size: int = 256
    learning_rate: float = 1e-3
    max_length: int = 50
    hidden_size: int = 64
    num_layers: int = 2
    num_heads: int = 2
    dropout: float = 0.5
    loss: Literal["nce", "bpr", "sampled_softmax"] = "nce"
    exclude_interactions: bool = False
    leak_held_out: bool = False
    model: Literal["sasrec", "s3rec"] = "sasrec"
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        as_count("max_epochs", self.max_epochs)
        as_count("patience", self.patience)
        check_common(self)
        if self.leak_held_out and not self.exclude_interactions:
            raise TrainingSettingsError(
                "leak_held_out", True, "False unless exclude_interactions is True"
            )
        if self.loss not in LOSSES:
            raise TrainingSettingsError("loss", self.loss, " or ".join(map(repr, LOSSES)))
        if self.model not in MODELS:
            raise TrainingSettingsError("model", self.model, " or ".join(map(repr, MODELS)))

    def torch_device(self) -> torch.device:
        """Return the device to train on; raises as `device_named` does."""
        return device_named(self.device)


SYNTHETIC_SETTINGS = TrainingSettings(
    max_epochs=100, patience=10, hidden_size=32, max_length=20, dropout=0.2
)
"""Settings for the embedded data: training takes about two minutes on two cores."""


def default_settings(dataset: str) -> TrainingSettings:
    """Return the default settings for a data set: the paper's, or those of the embedded data."""
    return SYNTHETIC_SETTINGS if dataset == "synthetic" else TrainingSettings()


def changed_settings(
    settings: Mapping[str, Any], default: TrainingSettings | None = None
) -> dict[str, Any]:
    """Return the settings other than seed and device that differ from `default`, or the paper's."""
    plain = asdict(TrainingSettings() if default is None else default)
    return {
        name: value
        for name, value in settings.items()
        if value != plain[name] and name not in ("seed", "device")
    }
