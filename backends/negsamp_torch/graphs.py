"""Draws that CUDA graphs can capture: call counter, alpha and errors are on the device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from negsamp.errors import ConfigError, InvalidInputError
from negsamp.genni import GenNi
from negsamp.negatives import Negatives
from negsamp.sampler import Sampler
from negsamp.scores import DotProduct
from negsamp.stream import Stream
from negsamp_torch.backend import TorchBackend
from negsamp_torch.row_errors import OnDevice
from negsamp_torch.scores import factor_of

__all__ = ["Capturable", "capturable"]


class Capturable:
    """A sampler whose draws CUDA graphs can capture, as :func:`capturable` returns it.

    Attributes
    ----------
    sampler : Sampler
        The sampler that draws.
    """

    def __init__(self, sampler: Sampler, device: Any = "cuda") -> None:
        if not isinstance(sampler, Sampler):
            raise InvalidInputError(f"capturable() takes a sampler; got {type(sampler).__name__}")
        self.sampler = sampler
        self._backend = TorchBackend(sampler.catalogue)
        device = _checked(device, self._backend)
        with torch.inference_mode(False):  # inference tensors are read-only outside it
            self._call = torch.zeros((), dtype=torch.int64, device=device)
            self._row_errors = OnDevice(self._call)
            self._backend.factor = torch.zeros(1, dtype=torch.float32, device=device)
        self._call.fill_(sampler._call)
        self._known_call = sampler._call
        self._backend.row_errors, self._backend.deferred = self._row_errors, True
        self._fixed: dict[str, float] | None = None
        self._write_alpha()

    def __call__(
        self,
        targets: Tensor,
        *,
        score: DotProduct | None = None,
        users: Tensor | None = None,
        mask: Tensor | None = None,
        exclude: Tensor | None = None,
    ) -> Negatives:
        """Draw negatives, within a capture or not; see :meth:`negsamp.Sampler.sample`.

        Parameters
        ----------
        targets, users, mask, exclude : Tensor
            As in ``sample``, on the device.
        score : DotProduct, optional
            As in ``sample``. Other callables are refused: replaying a graph does not call them.

        Returns
        -------
        Negatives
            What the sampler's next call draws. Each replay writes its draws into the same tensors.
            Rows with errors hold arbitrary values until :meth:`check` raises.

        Raises
        ------
        InvalidInputError
            If shapes or dtypes do not fit.
        """
        if score is not None and not isinstance(score, DotProduct):
            raise InvalidInputError("capturable draws take a DotProduct as score, or none")
        arrays = self.sampler.arguments(self._backend, targets, score, users, mask, exclude)
        if arrays.targets.device != self._call.device:
            raise InvalidInputError(
                f"targets are on {arrays.targets.device}; this sampler was made capturable on "
                f"{self._call.device}"
            )
        if not (self._call.is_cuda and torch.cuda.is_current_stream_capturing()):
            self._write_alpha()  # captured, every replay would write today's alpha
        self._fixed = _fixed(self.sampler)
        stream = Stream(self.sampler.key, self._call)
        rows = self._backend.rows(*arrays)
        negatives = self.sampler._draw(self._backend, rows, stream, score)
        self._call.add_(1)
        return negatives

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Return a context whose draws do not count: later draws are what they would be without it.

        Use it for the warm-up calls before a capture. It does not wait for the device.
        """
        kept = self._call, self._row_errors.first
        before = [tensor.clone() for tensor in kept]
        try:
            yield
        finally:
            for tensor, value in zip(kept, before, strict=True):
                tensor.copy_(value)

    def follow(self) -> bool:
        """Let later replays use the current alpha, without waiting for the device.

        Returns
        -------
        bool
            False if the graph must be captured again: beta has changed since the capture, or alpha
            has changed from or to 0.
        """
        self._write_alpha()
        return self._fixed is None or _fixed(self.sampler) == self._fixed

    def settle(self) -> None:
        """Wait for the device, raise the errors found there, and update the sampler's call count.

        Needed before ``sampler.state_dict()``.

        Raises
        ------
        InvalidInputError
            If a row had an id outside the catalogue or an unknown user.
        InvalidScoresError
            If a score was NaN or +inf.
        NoNegativesError
            If a row had no admissible item, or too few.
        ConfigError
            If the sampler itself has drawn or loaded a state meanwhile.
        """
        if self.sampler._call != self._known_call:
            raise ConfigError(
                f"the sampler is at call {self.sampler._call}, expected was {self._known_call}: it "
                "was used or loaded meanwhile; call capturable() and capture the graph again"
            )
        self.sampler._call = self._known_call = int(self._call)
        self._row_errors.check(wait=True)

    def check(self) -> None:
        """Call :meth:`follow` and :meth:`settle`, and raise if the graph must be captured again.

        Call it about once an epoch, after ``sampler.set_epoch``, and before
        ``sampler.state_dict()``.

        Raises
        ------
        NegSampError
            As :meth:`settle` does.
        ConfigError
            If beta has changed since the capture, or alpha has changed from or to 0.
        """
        can_follow = self.follow()
        self.settle()
        if not can_follow:
            raise ConfigError(
                f"the captured graph draws with {self._fixed}, but the schedules have moved to "
                f"{_fixed(self.sampler)}: capture again"
            )

    def _write_alpha(self) -> None:
        """Write the current alpha where the kernels read it."""
        if isinstance(self.sampler, GenNi) and self._backend.factor is not None:
            self._backend.factor.fill_(factor_of(self.sampler.alpha))


def _checked(device: Any, backend: TorchBackend) -> torch.device:
    """Return the device; raise InvalidInputError if kernels cannot draw on it."""
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError):
        raise InvalidInputError(
            f"device must be a CUDA device, as 'cuda'; got {device!r}"
        ) from None
    problem = None
    if found.type == "cuda" and not torch.cuda.is_available():
        problem = "PyTorch finds no CUDA device"
    elif not backend.is_fused(found):
        problem = f"got {found}"
    if problem is not None:
        raise InvalidInputError(f"capturable draws need a CUDA device with Triton; {problem}")
    return found


def _fixed(sampler: Sampler) -> dict[str, float]:
    """Return the values that are constant in a graph, as they decide kernels and shapes."""
    if not isinstance(sampler, GenNi):
        return {}
    return {"alpha": 0.0} if sampler.alpha == 0 else {"beta": sampler.beta}


def capturable(sampler: Sampler, device: Any = "cuda") -> Capturable:
    """Return a sampler to call while a CUDA graph is captured; each replay draws anew.

    The number of the call is kept on the device: each draw reads it there and adds one, even if
    only the graph runs. Replay n draws bit for bit what ``sampler.sample`` would have drawn in its
    place.

    Parameters
    ----------
    sampler : Sampler
        The sampler that draws. Do not draw from it directly or load a state meanwhile.
    device : torch.device or str
        A CUDA device. Triton must be installed.

    Returns
    -------
    Capturable
        Takes the arguments of ``sampler.sample``, with a :class:`negsamp.DotProduct` as the only
        kind of score. Call it before the capture too, as CUDA graphs require of all operations: the
        first call compiles kernels and copies interactions. Keep it for as long as a graph that was
        captured from it: replays read and write its memory.

    Raises
    ------
    InvalidInputError
        If `sampler` is not a sampler, or the kernels cannot draw on `device`.

    Notes
    -----
    Nothing waits for the device. The first error of a row is recorded there, and raised by
    :meth:`Capturable.check`. Replays use the ``alpha`` of the last ``check``. ``beta`` decides the
    size of what is captured: if a schedule has changed it, ``check`` raises, and the graph must be
    captured again. ``sampler.sample`` itself refuses to be captured, since its replays would repeat
    one draw.
    """
    return Capturable(sampler, device)
