"""Checkpoints: the state of a run on disk, written atomically and verified when read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from negsamp import NegSampError
from negsamp_models.files.writing import write_bytes, write_json
from negsamp_models.wording import differences, plural

__all__ = ["Checkpoint", "CheckpointError", "CheckpointFolder"]

VERSION = 1
NUM_KEPT = 2
"""Checkpoints kept: the newest, and the previous one in case the newest is damaged."""


class CheckpointError(NegSampError, ValueError):
    """A checkpoint is damaged or belongs to another run."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The state of a run.

    Attributes
    ----------
    epoch, batch : int
        The position: `batch` batches of epoch `epoch` are done. Both count from 0.
    tensors : dict of str to Tensor
        Weights, optimiser state and random states.
    state : dict
        The rest, as JSON-serialisable values.
    seal : str
        SHA-256 over both files; empty unless read from files.
    """

    epoch: int
    batch: int
    tensors: dict[str, Tensor]
    state: dict[str, Any]
    seal: str = ""

    @property
    def name(self) -> str:
        """Stem of the two files; names sort by position."""
        return f"{self.epoch:06d}-{self.batch:06d}"

    @property
    def position(self) -> str:
        """The position in words."""
        batches = f"{self.batch} batch{'' if self.batch == 1 else 'es'}"
        return f"{plural(self.epoch, 'epoch')} and {batches}"

    @property
    def num_epochs_begun(self) -> int:
        """Number of epochs begun at this position: the smallest `max_epochs` that reaches it."""
        return self.epoch + (self.batch > 0)

    def check_within(self, name: str, num_epochs: int) -> None:
        """Refuse to resume a run of fewer epochs; `name` is that of the setting.

        Raises
        ------
        CheckpointError
            If the checkpoint is beyond the end of the run.
        """
        if self.num_epochs_begun > num_epochs:
            raise CheckpointError(
                f"{name} must be >= {self.num_epochs_begun} to resume from the checkpoint, which "
                f"was saved after {self.position}; got {num_epochs}"
            )


class CheckpointFolder:
    """The last checkpoints of one run.

    A checkpoint consists of ``EPOCH-BATCH.safetensors`` and of ``EPOCH-BATCH.json``, written after
    it, with a SHA-256 over both: its seal. A checkpoint without a valid seal is refused.

    Parameters
    ----------
    path : Path
        The folder, created with the first checkpoint. Only one process may write to it at a time.
    identity : mapping
        What identifies the run, as JSON-serialisable values, nested to any depth. A checkpoint
        with another identity is refused.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self.path = path
        self._identity = json.loads(json.dumps(identity))

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, and remove those older than the previous one.

        Raises
        ------
        OSError
            If it cannot be written; earlier checkpoints are kept.
        """
        body = {
            "version": VERSION,
            "identity": self._identity,
            "epoch": checkpoint.epoch,
            "batch": checkpoint.batch,
            "state": checkpoint.state,
        }
        data = save(checkpoint.tensors)
        tensors, seal = self._files(checkpoint.name)
        write_bytes(tensors, data)
        write_json(seal, body | {"sha256": _digest(data, body)})
        self._prune(checkpoint.name)

    def last(self, on_refusal: Callable[[str], None]) -> Checkpoint | None:
        """Return the newest checkpoint that is intact and of this run.

        Parameters
        ----------
        on_refusal : callable
            If a checkpoint is returned, called with the reason for each newer one that is refused.

        Returns
        -------
        Checkpoint or None
            With its tensors on the CPU; None if there are no checkpoints at all.

        Raises
        ------
        CheckpointError
            If there are checkpoints but all are refused. The message has the reason for each.
        """
        refusals: dict[str, str] = {}
        for name in sorted(self._sealed(), reverse=True):
            try:
                checkpoint = self._read(name)
            except CheckpointError as error:
                refusals.setdefault(str(error), name)
            else:
                for reason, refused in refusals.items():
                    on_refusal(f"{self.path / refused} {reason}; an older one is used: {name}")
                return checkpoint
        if refusals:
            reasons = "; ".join(f"{name} {reason}" for reason, name in refusals.items())
            raise CheckpointError(
                f"no checkpoint in {self.path} can be resumed from: {reasons}. Use the data and "
                "settings that the run had, name another --output, or remove the folder to start "
                "over"
            )
        return None

    def __bool__(self) -> bool:
        return any(True for _ in self._sealed())

    def discard(self) -> None:
        """Remove all checkpoints, and the folder if nothing else is in it."""
        if not self.path.is_dir():
            return
        for name in self._stems():
            self._remove(name)
        if not any(self.path.iterdir()):
            self.path.rmdir()

    def _read(self, name: str) -> Checkpoint:
        tensors, seal = self._files(name)
        try:
            body = json.loads(seal.read_text(encoding="utf-8"))
            data = tensors.read_bytes()
            digest = body.pop("sha256")
            whole = digest == _digest(data, body)
        except FileNotFoundError:
            raise CheckpointError(f"lacks its {tensors.suffix} file") from None
        except (ValueError, KeyError, AttributeError, TypeError):
            raise CheckpointError(
                f"is damaged: {seal.name} is not the JSON of a checkpoint"
            ) from None
        if not whole:
            raise CheckpointError(f"is damaged: its SHA-256 is not that in {seal.name}")
        if body["version"] != VERSION:
            raise CheckpointError(
                f"has version {body['version']}; this negsamp reads version {VERSION}"
            )
        if found := differences(body["identity"], self._identity):
            raise CheckpointError(f"is of another run: {', '.join(found)}")
        try:
            # Loaded tensors are unaligned views of `data`; clones own their memory.
            copies = {name: value.clone() for name, value in load(data).items()}
        except SafetensorError as error:
            raise CheckpointError(f"is not a safetensors file: {error}") from error
        return Checkpoint(body["epoch"], body["batch"], copies, body["state"], digest)

    def _prune(self, newest: str) -> None:
        """Keep the last NUM_KEPT up to `newest`; remove older ones and leftovers of killed runs."""
        before = {name for name in self._stems() if name <= newest}
        for name in before - set(sorted(before & set(self._sealed()))[-NUM_KEPT:]):
            self._remove(name)

    def _remove(self, name: str) -> None:
        tensors, seal = self._files(name)
        seal.unlink(missing_ok=True)
        tensors.unlink(missing_ok=True)

    def _sealed(self) -> Iterator[str]:
        """Yield the names that have a JSON file."""
        return (path.stem for path in self.path.glob("[0-9]*.json"))

    def _stems(self) -> set[str]:
        """Return all names, including those of temporary files, which sort before the others."""
        return {
            path.stem for path in self.path.iterdir() if path.suffix in (".json", ".safetensors")
        }

    def _files(self, name: str) -> tuple[Path, Path]:
        return self.path / f"{name}.safetensors", self.path / f"{name}.json"


def _digest(data: bytes, body: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the tensors' bytes and of the JSON with sorted keys."""
    digest = hashlib.sha256(data)
    digest.update(json.dumps(body, sort_keys=True).encode())
    return digest.hexdigest()
