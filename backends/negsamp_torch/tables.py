"""What a catalogue is on one device: interactions and weights, copied there once."""

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
    """The arrays of a catalogue on a device, each made when first asked for.

    They are made on the host, and a copy waits for itself: what one stream computes, another that
    draws next would not wait for.
    """

    def __init__(self, catalogue: Catalogue, device: torch.device) -> None:
        self._catalogue = catalogue
        self._device = device

    @cached_property
    def user_items(self) -> UserItems | None:
        """Who has interacted with what."""
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
        """Weights before each place of the catalogue, or None where each is 1."""
        cumulative = self._catalogue.cumulative
        return None if cumulative is None else self._there(cumulative)

    @cached_property
    def weights_before(self) -> Tensor | None:
        """Weights before each interaction, modulo 2**64; None where there is nothing to sum."""
        cumulative, interactions = self._catalogue.cumulative, self._catalogue.interactions
        if cumulative is None or interactions is None:
            return None
        weights = np.diff(cumulative)[interactions.item_ids - self._catalogue.items.start]
        return self._there(np.concatenate([np.zeros(1, np.int64), weights.cumsum()]))

    def _there(self, values: npt.NDArray[np.integer]) -> Tensor:
        values = values if values.flags.writeable else values.copy()
        return torch.from_numpy(values).to(self._device)
