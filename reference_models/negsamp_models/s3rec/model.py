"""The model to pre-train: a SASRec, attribute embeddings, a mask token and four linear maps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from negsamp.validation import as_count
from negsamp_models.datasets.packing import PackedBatch
from negsamp_models.sasrec import SASRec, initialise

__all__ = ["S3Rec"]


class S3Rec(nn.Module):
    """Encode sequences with masked items, with attention in both directions.

    The encoder's own embeddings, positions and layers are used, but an item attends to all of its
    sequence, not only to earlier items. The score of an attribute, an item or a segment x with the
    hidden state h is ``x . (W h + b)``; each objective has its own linear map W, b.

    Parameters
    ----------
    encoder : SASRec
        The model to pre-train; it is not copied. Its last item is the mask token, so build it with
        one item more than the catalogue.
    num_attributes : int
        Attributes have ids 1 to num_attributes, at least 1.

    Attributes
    ----------
    encoder : SASRec
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
        """Item id of the mask token."""
        return len(self.encoder.item_embeddings) - 1

    def forward(self, whole: PackedBatch, ends: PackedBatch | None) -> tuple[Tensor, Tensor]:
        """Encode sequences, and others for their last states only, at half the cost or less.

        Parameters
        ----------
        whole : PackedBatch
            Items, with `mask_id` for masked ones.
        ends : PackedBatch or None
            Others, in rows of the same length.

        Returns
        -------
        states : float, shape (num_tokens, hidden_size)
            The hidden state of each item of `whole`, in the order of ``whole.slots``.
        last_states : float, shape (num_sequences, hidden_size)
            The hidden state of the last item of each sequence of `ends`; empty without it.
        """
        batches = [whole] if ends is None else [whole, ends]
        items = self.encoder.items(torch.cat([batch.item_ids for batch in batches]))
        positions = torch.cat([batch.position_ids for batch in batches])
        mask = torch.cat([batch.bidirectional_mask() for batch in batches])
        hidden = self.encoder.place(items, positions)
        layers: list[Any] = list(self.encoder.layers)
        for layer in layers[:-1]:
            hidden = layer(hidden, mask)
        num_rows = len(whole.item_ids)
        states = whole.tokens(layers[-1](hidden[:num_rows], mask[:num_rows]))
        if ends is None:
            return states, states[:0]
        return states, torch.as_tensor(layers[-1].ends(hidden[num_rows:], ends))
