"""Interactions and weights of a catalogue on one device, copied there once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from negsamp.backend import Catalogue
from negsamp_torch.rows import UserItems

__all__ = ["Tables"]


class Tables:
    """The arrays of a catalogue on a device, each made when first used.

    They are computed on the host and copied synchronously: if a CUDA stream computed them, a draw
    on another stream could read them too early.
    """

    def __init__(self, catalogue: Catalogue, device: torch.device) -> None:
        self._catalogue = catalogue
        self._device = device

    @cached_property
    def user_items(self) -> UserItems | None:
        """The interactions; None if there are none."""
        interactions = self._catalogue.interactions
        if interactions is None:
            return None
        return UserItems(
            self._there(interactions.item_ids - self._catalogue.items.start),
            self._there(interactions.offsets),
            int(np.diff(interactions.offsets).max(initial=0)),
        )

    @cached_property
    def cumulative(self) -> Tensor | None:
        """Exclusive prefix sums of the weights of the catalogue; None if all are 1."""
        cumulative = self._catalogue.cumulative
        return None if cumulative is None else self._there(cumulative)

    @cached_property
    def weights_before(self) -> Tensor | None:
        """Exclusive prefix sums of the interactions' weights, modulo 2**64; None if all are 1."""
        cumulative, interactions = self._catalogue.cumulative, self._catalogue.interactions
        if cumulative is None or interactions is None:
            return None
        weights = np.diff(cumulative)[interactions.item_ids - self._catalogue.items.start]
        return self._there(np.concatenate([np.zeros(1, np.int64), weights.cumsum()]))

    def _there(self, values: npt.NDArray[np.integer]) -> Tensor:
        values = values if values.flags.writeable else values.copy()
        return torch.from_numpy(values).to(self._device)
