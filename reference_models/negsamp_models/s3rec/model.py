"""The model that is pre-trained: a SASRec, attributes, a mask token and four linear maps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from negsamp.validation import as_count
from negsamp_models.packing import PackedBatch
from negsamp_models.sasrec import SASRec, initialise

__all__ = ["S3Rec"]


class S3Rec(nn.Module):
    """Encode sequences in which items may be masked, and look both ways.

    The encoder's own embeddings, positions and layers are used, but an item sees all of its
    sequence, not only what stands before it. The score of an attribute, an item or a segment x
    with the hidden state h is ``x . (W h + b)``; each objective has a linear map W, b of its own.

    Parameters
    ----------
    encoder : SASRec
        What is pre-trained; it is held, not copied.
    num_attributes : int
        Attributes have ids 1 to num_attributes, at least 1.

    Attributes
    ----------
    encoder : SASRec
    mask : Embedding
        One row: what stands for an item that is hidden.
    attributes : Embedding, num_attributes rows
        Row a - 1 belongs to attribute a.
    associated_attributes, masked_items, masked_attributes, segments : Linear
        The maps of the four objectives.

    Raises
    ------
    ConfigError
        If `num_attributes` is not an integer of at least 1.

    References
    ----------
    Zhou et al., "S3-Rec: Self-supervised learning for sequential recommendation with mutual
    information maximization", CIKM 2020, section 4. The maps have biases as in the authors' code.
    """

    def __init__(self, encoder: SASRec, num_attributes: int) -> None:
        super().__init__()
        hidden_size = encoder.item_embeddings.shape[1]
        self.encoder = encoder
        self.mask = nn.Embedding(1, hidden_size)
        self.attributes = nn.Embedding(as_count("num_attributes", num_attributes), hidden_size)
        self.associated_attributes = nn.Linear(hidden_size, hidden_size)
        self.masked_items = nn.Linear(hidden_size, hidden_size)
        self.masked_attributes = nn.Linear(hidden_size, hidden_size)
        self.segments = nn.Linear(hidden_size, hidden_size)
        for module in self.children():
            if module is not encoder:
                initialise(module)

    @property
    def mask_id(self) -> int:
        """The id that stands for a hidden item in a batch: one more than the last item's."""
        return len(self.encoder.item_embeddings)

    def states(self, batch: PackedBatch) -> Tensor:
        """Encode sequences.

        Parameters
        ----------
        batch : PackedBatch
            Items, and `mask_id` for those that are hidden.

        Returns
        -------
        float, shape (num_tokens, hidden_size)
            The hidden state of each item, in the order of ``batch.slots``.
        """
        mask = batch.bidirectional_mask()
        hidden = self._placed(batch)
        for layer in self.encoder.layers:
            hidden = layer(hidden, mask)
        return batch.tokens(hidden)

    def ends(self, batch: PackedBatch) -> Tensor:
        """Encode sequences of which only the end is wanted; the last layer costs half of it.

        Parameters
        ----------
        batch : PackedBatch
            As for `states`.

        Returns
        -------
        float, shape (num_sequences, hidden_size)
            The hidden state of the last item of each sequence.
        """
        mask = batch.bidirectional_mask()
        hidden = self._placed(batch)
        layers: list[Any] = list(self.encoder.layers)
        for layer in layers[:-1]:
            hidden = layer(hidden, mask)
        return torch.as_tensor(layers[-1].ends(hidden, batch))

    def _placed(self, batch: PackedBatch) -> Tensor:
        hidden = (batch.item_ids == self.mask_id)[..., None]
        items = self.encoder.items(batch.item_ids.masked_fill(hidden[..., 0], 0))
        return self.encoder.place(torch.where(hidden, self.mask.weight, items), batch)
