"""Training settings, and options of a run that do not affect its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from negsamp import NegSampError
from negsamp.validation import as_count, as_number
from negsamp_models.losses import bpr_loss, nce_loss, sampled_softmax_loss
from negsamp_models.sasrec import check_heads

__all__ = [
    "LOSSES",
    "MODELS",
    "SYNTHETIC_SETTINGS",
    "RunOptions",
    "TrainingSettings",
    "TrainingSettingsError",
    "changed_settings",
    "default_settings",
    "device_named",
]

LOSSES = {"nce": nce_loss, "bpr": bpr_loss, "sampled_softmax": sampled_softmax_loss}
MODELS = {"sasrec": "SASRec", "s3rec": "S3-Rec"}
"""Display names of the models."""


def device_named(name: str) -> torch.device:
    """Return a device by its name.

    Parameters
    ----------
    name : str
        "cpu", "cuda", "cuda:N", or "auto": CUDA if available, else the CPU.

    Raises
    ------
    TrainingSettingsError
        If it is none of these, or there is no such device here.
    """
    number = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if number else "cpu")
    if name == "cpu" or (name == "cuda" and number):
        return torch.device(name)
    index = name.removeprefix("cuda:")
    if index != name and index.isdecimal() and int(index) < number:
        return torch.device(name)
    allowed = "auto, cpu, cuda or cuda:N" if number else "auto or cpu"
    raise TrainingSettingsError(
        "device", name, f"{allowed} (torch finds {number} CUDA devices here)"
    )


class TrainingSettingsError(NegSampError, ValueError):
    """A setting is out of its range."""

    def __init__(self, name: str, value: Any, allowed: str) -> None:
        super().__init__(name, value, allowed)

    def __str__(self) -> str:
        name, value, allowed = self.args
        return f"{name} must be {allowed}; got {value!r}"


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
        for name in ("max_epochs", "patience", "batch_size", "max_length"):
            as_count(name, getattr(self, name))
        for name in ("hidden_size", "num_layers", "num_heads"):
            as_count(name, getattr(self, name))
        check_heads(self.hidden_size, self.num_heads)
        if self.max_length == 1:
            raise TrainingSettingsError("max_length", 1, ">= 2, as one item is not a sequence")
        as_count("seed", self.seed, low=0, high=2**63 - 1)
        if as_number("learning_rate", self.learning_rate) <= 0:
            raise TrainingSettingsError("learning_rate", self.learning_rate, "> 0")
        if not 0 <= as_number("dropout", self.dropout) < 1:
            raise TrainingSettingsError("dropout", self.dropout, "in [0, 1)")
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


@dataclass(frozen=True)
class RunOptions:
    """How a run is executed, saved and logged; results change by no more than noise.

    Attributes
    ----------
    resume : bool
        Resume from the last checkpoint, if there is one.
    checkpoint_seconds : float
        Save within an epoch when the last checkpoint is this old. A checkpoint is saved after
        every epoch too, unless saving takes more than 5 % of the time.
    checkpoint_batches : int, optional
        Save after this many batches of an epoch, and after every epoch, whatever it costs.
    tensorboard : bool
        Write logs for TensorBoard.
    keep_weights : tuple of int
        Keep the weights after these numbers of epochs; 0 is before training.
    sharded_items : bool
        With several processes, let each score one slice of the items for the sampler.
    cuda_graphs : bool
        Run each step as one CUDA graph.
    overwrite : bool
        Remove the files of an earlier run from the folder; not with `resume`.
    """

    resume: bool = False
    checkpoint_seconds: float = 300.0
    checkpoint_batches: int | None = None
    tensorboard: bool = False
    keep_weights: tuple[int, ...] = ()
    sharded_items: bool = False
    cuda_graphs: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.resume and self.overwrite:
            raise TrainingSettingsError(
                "overwrite", True, "False with resume, which needs the files that overwrite removes"
            )
        if as_number("checkpoint_seconds", self.checkpoint_seconds) <= 0:
            raise TrainingSettingsError("checkpoint_seconds", self.checkpoint_seconds, "> 0")
        if self.checkpoint_batches is not None:
            as_count("checkpoint_batches", self.checkpoint_batches)
        for epochs in self.keep_weights:
            as_count("keep_weights", epochs, low=0)
