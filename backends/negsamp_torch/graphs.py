"""Draws that a CUDA graph can be captured from: what changes from draw to draw is on the device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from negsamp.errors import ConfigError, InvalidInputError
from negsamp.negatives import Negatives
from negsamp.sampler import Sampler
from negsamp.scores import DotProduct
from negsamp.stream import Stream
from negsamp_torch.backend import TorchBackend
from negsamp_torch.complaints import OnDevice

__all__ = ["Capturable", "capturable"]


class Capturable:
    """A sampler as :func:`capturable` returns it.

    Attributes
    ----------
    sampler : Sampler
        The sampler whose draws are made.
    """

    def __init__(self, sampler: Sampler, device: Any = "cuda") -> None:
        if not isinstance(sampler, Sampler):
            raise InvalidInputError(f"capturable() takes a sampler; got {type(sampler).__name__}")
        self.sampler = sampler
        self._call = torch.zeros((), dtype=torch.int64, device=device)
        self._call.fill_(sampler._call)
        self._known_call = sampler._call
        self._backend = TorchBackend(sampler.catalogue)
        self._backend.complaints, self._backend.deferred = OnDevice(self._call), True
        self._law: dict[str, float] | None = None

    def __call__(
        self,
        targets: Tensor,
        *,
        score: DotProduct | None = None,
        users: Tensor | None = None,
        mask: Tensor | None = None,
        exclude: Tensor | None = None,
    ) -> Negatives:
        """Draw negatives for each target: :meth:`negsamp.Sampler.sample`, within a capture or not.

        Parameters
        ----------
        targets, users, mask, exclude : Tensor
            As there, on the device.
        score : DotProduct, optional
            As there; a callable is not called again when a graph is replayed.

        Returns
        -------
        Negatives
            What the sampler's next call draws; each replay writes the next draws into the same
            tensors. Rows that went wrong hold anything until :meth:`check` has raised.

        Raises
        ------
        InvalidInputError
            If shapes or dtypes do not fit, or the kernels cannot draw there.
        """
        if score is not None and not isinstance(score, DotProduct):
            raise InvalidInputError("capturable draws take a DotProduct as score, or none")
        if not self._backend.is_fused(self._call.device):
            raise InvalidInputError(
                f"capturable draws need a CUDA device with Triton; this is {self._call.device}"
            )
        arrays = self.sampler.arguments(self._backend, targets, score, users, mask, exclude)
        if arrays[0].device != self._call.device:
            raise InvalidInputError(
                f"targets are on {arrays[0].device}; this was made for {self._call.device}"
            )
        self._law = dict(self.sampler._progress.values)
        stream = Stream(self.sampler.key, self._call)
        rows = self._backend.rows(*arrays)
        negatives = self.sampler._draw(self._backend, rows, stream, score)
        self._call.add_(1)
        return negatives

    def check(self) -> None:
        """Wait for the device, raise what went wrong there, and tell the sampler its calls.

        Call it now and then, such as once an epoch, and before ``sampler.state_dict()``.

        Raises
        ------
        InvalidInputError
            If a row held an id outside the catalogue or an unknown user.
        InvalidScoresError
            If a score was NaN or +inf.
        NoNegativesError
            If a row had no admissible item, or too few.
        ConfigError
            If alpha or beta have moved since they were captured, or if the sampler has drawn, or
            was loaded, beside this.
        """
        if self.sampler._call != self._known_call:
            raise ConfigError(
                f"the sampler is at call {self.sampler._call} and was left at {self._known_call}: "
                "it was used or loaded meanwhile; make it capturable, and capture, again"
            )
        self.sampler._call = self._known_call = int(self._call)
        self._backend.complaints.settle(wait=True)
        now = self.sampler._progress.values
        if self._law is not None and now != self._law:
            raise ConfigError(
                f"captured graphs draw with {self._law}, and the schedules have moved to "
                f"{dict(now)}: capture again"
            )


def capturable(sampler: Sampler, device: Any = "cuda") -> Capturable:
    """Return a sampler to call while a CUDA graph is captured; each replay draws afresh.

    The number of the call lies on the device: a draw reads it there and adds one, also when
    nothing but the graph runs. Replay n draws bit for bit what ``sampler.sample`` would have
    drawn in its place.

    Parameters
    ----------
    sampler : Sampler
        Whose draws are made. Leave it alone meanwhile.
    device : torch.device or str
        A CUDA device. Triton has to be installed.

    Returns
    -------
    Capturable
        Takes what ``sampler.sample`` takes, except that scores are those of a
        :class:`negsamp.DotProduct` or none. Call it before the capture too, as CUDA graphs ask for
        with everything: kernels are compiled, and interactions copied, by the first call.

    Raises
    ------
    InvalidInputError
        If `sampler` is not a sampler.

    Notes
    -----
    Nothing waits for the device. The first row that goes wrong is noted there, and raised by
    :meth:`Capturable.check`. ``alpha`` and ``beta`` are those of the capture: where a schedule has
    moved them, ``check`` says so, and the graph has to be captured again. ``sampler.sample``
    itself refuses to be captured, since its replays would repeat one draw.
    """
    return Capturable(sampler, device)
