"""Files of pre-trained weights: safetensors with their provenance in the header."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from negsamp import NegSampError
from negsamp_models.datasets import Dataset, LeaveOneOut
from negsamp_models.datasets.sequences import Int64Array
from negsamp_models.files.writing import write_whole
from negsamp_models.sasrec import SASRec
from negsamp_models.settings import TrainingSettings, TrainingSettingsError
from negsamp_models.wording import differences

__all__ = [
    "Pretrained",
    "PretrainedError",
    "Provenance",
    "check_pretrained",
    "fingerprint",
    "read_pretrained",
    "write_pretrained",
]

_FORMAT = "negsamp S3-Rec 1"
_ENCODER = "encoder."


class PretrainedError(NegSampError, ValueError):
    """A file of pre-trained weights is damaged, of another kind, or of another data set or size."""


@dataclass(frozen=True)
class Provenance:
    """The data and settings that pre-trained weights were made with, enough to reproduce them.

    Attributes
    ----------
    dataset : str
        Name of the data set.
    num_items, num_attributes : int
        Its sizes.
    training_part : str
        `fingerprint` of the sequences that pre-training saw.
    sampler : dict
        Configuration of the sampler of the masked items' negatives.
    epochs, batch_size, learning_rate, mask_probability, weights, max_length, hidden_size, \
    num_layers, num_heads, dropout, seed
        As in `PretrainingSettings`; `weights` are those of the objectives, by their names.
    attributes : str or None
        `fingerprint` of the items' attributes; None in files that predate this field.
    """

    dataset: str
    num_items: int
    num_attributes: int
    training_part: str
    sampler: dict[str, Any]
    epochs: int
    batch_size: int
    learning_rate: float
    mask_probability: float
    weights: dict[str, float]
    max_length: int
    hidden_size: int
    num_layers: int
    num_heads: int
    dropout: float
    seed: int
    attributes: str | None = None

    SIZES: ClassVar = ("max_length", "hidden_size", "num_layers", "num_heads")
    """The sizes of a SASRec that can load the weights."""

    @property
    def sizes(self) -> dict[str, int]:
        """The values of `SIZES`."""
        return {name: getattr(self, name) for name in self.SIZES}


@dataclass(frozen=True, eq=False)
class Pretrained:
    """Pre-trained weights of a SASRec.

    Attributes
    ----------
    path : Path
        The file.
    provenance : Provenance
        How the weights were made.
    weights : dict of str to Tensor
        The encoder's weights, by the names of `SASRec`.
    """

    path: Path
    provenance: Provenance
    weights: dict[str, Tensor]

    def load_into(self, model: SASRec) -> None:
        """Load these weights into a SASRec of the same sizes."""
        model.load_state_dict(self.weights)

    @property
    def description(self) -> dict[str, Any]:
        """The provenance and a SHA-256 of the weights, kept by a run that starts from them."""
        digest = hashlib.sha256()
        for name, value in sorted(self.weights.items()):
            digest.update(name.encode() + value.numpy().tobytes())
        return asdict(self.provenance) | {"sha256": digest.hexdigest()}


def check_pretrained(
    pretrained: Pretrained | None,
    dataset: Dataset,
    split: LeaveOneOut,
    settings: TrainingSettings,
) -> None:
    """Refuse to start a run with weights that do not match, or without those it needs.

    Raises
    ------
    TrainingSettingsError
        If the model is "s3rec" and there are no weights, or there are and it is not.
    PretrainedError
        If the weights belong to another catalogue, other sequences or other sizes.
    """
    if (settings.model == "s3rec") != (pretrained is not None):
        raise TrainingSettingsError(
            "model",
            settings.model,
            "'s3rec' with pre-trained weights (--pretrained FILE, made by negsamp pretrain) or "
            "'sasrec' without",
        )
    if pretrained is None:
        return
    path, own, name = pretrained.path, pretrained.provenance, dataset.name
    remedy = f"pre-train on it with negsamp pretrain --dataset {name}"
    if own.num_items != dataset.num_items:
        raise PretrainedError(
            f"{path} was pre-trained on {own.dataset}, which has {own.num_items} items; {name} has "
            f"{dataset.num_items}: {remedy}"
        )
    seen = split.training_part
    if own.training_part != fingerprint(seen.item_ids, seen.offsets):
        raise PretrainedError(
            f"{path} was pre-trained on {own.dataset}, on other sequences than those of {name} "
            "here: its item ids may mean other items, and it may have seen held-out items: "
            f"{remedy}"
        )
    if found := differences(own.sizes, {name: getattr(settings, name) for name in own.SIZES}):
        raise PretrainedError(
            f"{path} has other sizes ({', '.join(found)}): omit them, or pre-train with them"
        )


def fingerprint(ids: Int64Array, offsets: Int64Array) -> str:
    """Return the SHA-256 of compressed rows in hexadecimal digits."""
    digest = hashlib.sha256(offsets.astype("<i8").tobytes())
    digest.update(ids.astype("<i8").tobytes())
    return digest.hexdigest()


def write_pretrained(path: str | Path, model: nn.Module, provenance: Provenance) -> None:
    """Write the weights of a pre-trained model, completely or not at all.

    Parameters
    ----------
    path : str or Path
        The file; its folder is created if missing.
    model : S3Rec
        On any device; all of it is written, including the objectives' maps and embeddings.
    provenance : Provenance
        Is written to the header of the file.
    """
    weights = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    about = {"format": _FORMAT, "provenance": json.dumps(asdict(provenance))}
    write_whole(path, lambda target: save_file(weights, target, metadata=about))


def read_pretrained(path: str | Path) -> Pretrained:
    """Read the encoder's weights from a file written by `write_pretrained`.

    Raises
    ------
    PretrainedError
        If the file cannot be read, is not a safetensors file, does not hold pre-trained weights, or
        its weights do not match its header.
    """
    path, how = Path(path), "make one with negsamp pretrain"
    if not path.is_file():
        raise PretrainedError(f"{path} is missing or not a file; {how}")
    try:
        with safe_open(path, "pt") as content:
            about = content.metadata() or {}
            weights = {
                name.removeprefix(_ENCODER): content.get_tensor(name)
                for name in content.keys()  # noqa: SIM118  (not a mapping)
                if name.startswith(_ENCODER)
            }
    except (SafetensorError, OSError) as error:
        raise PretrainedError(
            f"{path} is not a complete safetensors file ({error}); {how}"
        ) from error
    if about.get("format") != _FORMAT:
        raise PretrainedError(
            f"{path} does not hold the weights of a pre-trained S3-Rec: its format is "
            f"{about.get('format')!r}, not {_FORMAT!r}; {how}"
        )
    provenance = _provenance(path, about.get("provenance", ""))
    if "items.weight" in weights:
        weights["items.weight"] = weights["items.weight"][:-1]  # the last row is the mask token
    _check_weights(path, provenance, weights)
    return Pretrained(path, provenance, weights)


def _provenance(path: Path, text: str) -> Provenance:
    try:
        content = json.loads(text)
        provenance = Provenance(**content)
    except (ValueError, TypeError) as error:
        names = ", ".join(field.name for field in fields(Provenance))
        raise PretrainedError(
            f"{path} lacks valid provenance, which has the keys {names}"
        ) from error
    return provenance


def _check_weights(path: Path, provenance: Provenance, weights: Mapping[str, Tensor]) -> None:
    try:
        expected = SASRec(provenance.num_items, **provenance.sizes).state_dict()
    except (NegSampError, TypeError) as error:
        raise PretrainedError(f"{path} has invalid sizes in its header: {error}") from error
    found = {name: tuple(value.shape) for name, value in weights.items()}
    due = {name: tuple(value.shape) for name, value in expected.items()}
    for name in sorted(found.keys() | due.keys()):
        if found.get(name) != due.get(name):
            raise PretrainedError(
                f"{path} has {name} of shape {found.get(name)}; by its header it should be "
                f"{due.get(name)}"
            )
    if not all(bool(value.isfinite().all()) for value in weights.values()):
        raise PretrainedError(f"{path} holds weights that are not finite numbers")
