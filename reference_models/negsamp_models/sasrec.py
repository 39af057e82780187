"""SASRec as the authors of S3-Rec build it: a small causal Transformer over items."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from negsamp import InvalidInputError
from negsamp.validation import as_count
from negsamp_models.datasets.packing import PackedBatch
from negsamp_models.dropout import Dropout

__all__ = ["SASRec", "check_heads", "initialise"]

INITIAL_STD = 0.02
"""Standard deviation of initial weights, from the published code of S3-Rec."""
LAYER_NORM_EPS = 1e-12
MASK_PENALTY = 1e9
"""Subtracted from masked attention scores, so that their softmax is 0; faster than filling them."""


def check_heads(hidden_size: int, num_heads: int) -> None:
    """Raise InvalidInputError unless the heads divide the hidden size among themselves."""
    if hidden_size % num_heads:
        raise InvalidInputError(
            f"num_heads must divide hidden_size; got num_heads {num_heads}, hidden_size "
            f"{hidden_size}"
        )


class SASRec(nn.Module):
    """Encode item sequences; an item's score is the dot product of its embedding and the encoding.

    Item and learned position embeddings are added, normalised and dropped out. Each layer has
    multi-head self-attention and a feed-forward of width 4 d with GELU, each followed by dropout, a
    residual and a layer norm (post-norm). Input and scores share the item embeddings (tied).

    Parameters
    ----------
    num_items : int
        Items have ids 1 to num_items; 0 is padding.
    hidden_size : int
        d, a multiple of `num_heads`.
    num_layers, num_heads : int
        At least 1.
    max_length : int
        Number of positions; the last item of a sequence has the last one.
    dropout : float
        For embeddings, attention weights and both sublayers, in [0, 1).

    Raises
    ------
    ConfigError
        If a size is not an integer of at least 1.
    InvalidInputError
        If `num_heads` does not divide `hidden_size`, or `dropout` is out of range.

    References
    ----------
    Kang and McAuley, "Self-attentive sequential recommendation", ICDM 2018; Zhou et al., "S3-Rec",
    CIKM 2020: layers, initial values (normal, 0.02) and the alignment of positions to the end of
    the sequence are from its published code.
    """

    def __init__(
        self,
        num_items: int,
        hidden_size: int = 64,
        num_layers: int = 2,
        num_heads: int = 2,
        max_length: int = 50,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        for name, value in (
            ("num_items", num_items),
            ("hidden_size", hidden_size),
            ("num_layers", num_layers),
            ("num_heads", num_heads),
            ("max_length", max_length),
        ):
            as_count(name, value)
        check_heads(hidden_size, num_heads)
        if not 0 <= dropout < 1:
            raise InvalidInputError(f"dropout must be in [0, 1); got {dropout}")
        self.max_length = max_length
        self.items = nn.Embedding(num_items + 1, hidden_size)
        self.positions = nn.Embedding(max_length, hidden_size)
        self.norm = nn.LayerNorm(hidden_size, eps=LAYER_NORM_EPS)
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(
            _Layer(hidden_size, num_heads, dropout) for _ in range(num_layers)
        )
        self.apply(initialise)

    @property
    def item_embeddings(self) -> Tensor:
        """Embeddings by item id, shape (num_items + 1, hidden_size); row 0 is padding."""
        return self.items.weight

    def forward(self, batch: PackedBatch) -> Tensor:
        """Return hidden states, shape (num_rows, length, hidden_size)."""
        return self.encode(batch.item_ids, batch.position_ids, batch.causal_mask())

    def encode(self, item_ids: Tensor, position_ids: Tensor, mask: Tensor) -> Tensor:
        """Return hidden states of items in any layout.

        Parameters
        ----------
        item_ids : int64, shape (num_rows, length)
            The item in each slot.
        position_ids : int64, of the same shape or (1, length)
            The position of each slot.
        mask : bool, shape (num_rows, 1, length, length)
            Which slots each slot may attend to.

        Returns
        -------
        float, shape (num_rows, length, hidden_size)
        """
        hidden = self.place(self.items(item_ids), position_ids)
        for layer in self.layers:
            hidden = layer(hidden, mask)
        return hidden

    def ends(self, batch: PackedBatch) -> Tensor:
        """Return `forward` at the last item of each sequence, at about half its cost.

        The last layer is computed for these items only.

        Returns
        -------
        float, shape (num_sequences, hidden_size)
            Equal up to rounding and the randomness of dropout.
        """
        hidden = self.place(self.items(batch.item_ids), batch.position_ids)
        layers, mask = list[Any](self.layers), batch.causal_mask()
        for layer in layers[:-1]:
            hidden = layer(hidden, mask)
        return torch.as_tensor(layers[-1].ends(hidden, batch))

    def place(self, embeddings: Tensor, position_ids: Tensor) -> Tensor:
        """Return the input of the layers: item embeddings combined with their positions.

        Parameters
        ----------
        embeddings : float, shape (num_rows, length, hidden_size)
            The embedding in each slot.
        position_ids : int64, shape (num_rows, length) or (1, length)
            The position of each slot.

        Returns
        -------
        float, of the shape of the embeddings
        """
        return torch.as_tensor(self.dropout(self.norm(embeddings + self.positions(position_ids))))


class _Layer(nn.Module):
    """Self-attention and feed-forward, each followed by dropout, residual and layer norm."""

    def __init__(self, hidden_size: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.queries_keys_values = nn.Linear(hidden_size, 3 * hidden_size)
        self.attended = nn.Linear(hidden_size, hidden_size)
        self.attention_norm = nn.LayerNorm(hidden_size, eps=LAYER_NORM_EPS)
        self.widen = nn.Linear(hidden_size, 4 * hidden_size)
        self.narrow = nn.Linear(4 * hidden_size, hidden_size)
        self.feed_forward_norm = nn.LayerNorm(hidden_size, eps=LAYER_NORM_EPS)
        self.dropout = Dropout(dropout)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        heads = self.queries_keys_values(hidden).unflatten(-1, (3, self.num_heads, -1))
        queries, keys, values = heads.permute(2, 0, 3, 1, 4)
        attended = self._attend(queries, keys, values, mask)
        return self._transform(hidden, attended.transpose(1, 2).flatten(2))

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        noisy = self.training and self.dropout.p > 0
        if not noisy or queries.device.type != "cpu":
            return functional.scaled_dot_product_attention(
                queries, keys, values, mask, dropout_p=self.dropout.p if noisy else 0.0
            )
        scores = queries @ (keys / math.sqrt(keys.shape[-1])).transpose(-1, -2)
        shares = (scores + (mask.to(scores.dtype) - 1) * MASK_PENALTY).softmax(-1)
        return torch.as_tensor(self.dropout(shares)) @ values

    def ends(self, hidden: Tensor, batch: PackedBatch) -> Tensor:
        """Compute the layer, with a bidirectional mask, at the last item of each sequence only.

        Parameters
        ----------
        hidden : float, shape (num_rows, length, hidden_size)
            Input of the layer.
        batch : PackedBatch
            The sequences.

        Returns
        -------
        float, shape (num_sequences, hidden_size)
            ``batch.last_tokens(layer(hidden, batch.bidirectional_mask()))`` up to rounding and the
            randomness of dropout.
        """
        ends, size, heads = batch.last_tokens(hidden), hidden.shape[-1], self.num_heads
        weight, bias = self.queries_keys_values.weight, self.queries_keys_values.bias
        queries = functional.linear(ends, weight[:size], bias[:size])
        both = functional.linear(batch.tokens(hidden), weight[size:], bias[size:])
        keys, values = both.view(len(both), 2, heads, size // heads).unbind(1)
        owner = batch.segment_ids.flatten().index_select(0, batch.slots) - 1
        scores = (queries.index_select(0, owner).view_as(keys) * keys).sum(-1)
        shares = _softmax(scores / math.sqrt(size // heads), owner, len(ends))
        shares = self.dropout(shares)
        sums = queries.new_zeros(len(ends), heads, size // heads)
        attended = sums.index_add(0, owner, shares[..., None] * values)
        return self._transform(ends, attended.flatten(1))

    def _transform(self, hidden: Tensor, attended: Tensor) -> Tensor:
        """Apply the two residual sublayers to the input and to the attended values."""
        hidden = self.attention_norm(hidden + self.dropout(self.attended(attended)))
        widened = functional.gelu(self.widen(hidden))
        return torch.as_tensor(self.feed_forward_norm(hidden + self.dropout(self.narrow(widened))))


def _softmax(scores: Tensor, owner: Tensor, num_owners: int) -> Tensor:
    """Return the softmax of scores, (num_rows, num_heads), over the rows of the same owner."""
    with torch.no_grad():
        places = owner[:, None].expand_as(scores)
        highest = scores.new_full((num_owners, scores.shape[1]), -torch.inf)
        highest.scatter_reduce_(0, places, scores, "amax")
    weights = (scores - highest.index_select(0, owner)).exp()
    totals = torch.zeros_like(highest).index_add(0, owner, weights)
    return weights / totals.index_select(0, owner)


def initialise(module: nn.Module) -> None:
    """Initialise a linear map or an embedding: normal weights, bias 0."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=INITIAL_STD)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
