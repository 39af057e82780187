"""SASRec as the authors of S3-Rec build it: a small causal Transformer over items."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from negsamp import InvalidInputError
from negsamp.validation import as_count
from negsamp_models.packing import PackedBatch

__all__ = ["SASRec"]

INITIAL_STD = 0.02
LAYER_NORM_EPS = 1e-12


class SASRec(nn.Module):
    """Encode item sequences; the score of an item is its embedding's product with the encoding.

    Item embeddings plus learned positions, normalised and dropped out; then layers of multi-head
    self-attention and a feed-forward of width 4 d with GELU, each with dropout, a residual and a
    layer norm after it (post-norm). Item embeddings are tied to the scores.

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
        Of embeddings, attention weights and both sublayers, in [0, 1).

    Raises
    ------
    ConfigError
        If a size is not an integer of at least 1.
    InvalidInputError
        If `num_heads` does not divide `hidden_size`, or `dropout` is out of range.

    References
    ----------
    Kang and McAuley, "Self-attentive sequential recommendation", ICDM 2018; Zhou et al., "S3-Rec",
    CIKM 2020, whose published code has the layers, the initial values (normal, 0.02) and the
    alignment of positions to the sequence's end that are used here.
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
        if hidden_size % num_heads:
            raise InvalidInputError(
                f"num_heads must divide hidden_size; got {num_heads} heads of {hidden_size}"
            )
        if not 0 <= dropout < 1:
            raise InvalidInputError(f"dropout must be in [0, 1); got {dropout}")
        self.max_length = max_length
        self.items = nn.Embedding(num_items + 1, hidden_size)
        self.positions = nn.Embedding(max_length, hidden_size)
        self.norm = nn.LayerNorm(hidden_size, eps=LAYER_NORM_EPS)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            _Layer(hidden_size, num_heads, dropout) for _ in range(num_layers)
        )
        self.apply(_initialise)

    @property
    def item_embeddings(self) -> Tensor:
        """Embeddings by item id, shape (num_items + 1, hidden_size); row 0 is padding."""
        return self.items.weight

    def forward(self, batch: PackedBatch) -> Tensor:
        """Return hidden states, shape (num_rows, length, hidden_size)."""
        mask = batch.causal_mask()
        hidden = self.items(batch.item_ids) + self.positions(batch.position_ids)
        hidden = self.dropout(self.norm(hidden))
        for layer in self.layers:
            hidden = layer(hidden, mask)
        return torch.as_tensor(hidden)


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
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        heads = self.queries_keys_values(hidden).unflatten(-1, (3, self.num_heads, -1))
        queries, keys, values = heads.permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(
            queries, keys, values, mask, dropout_p=self.dropout.p if self.training else 0.0
        )
        attended = self.attended(attended.transpose(1, 2).flatten(2))
        hidden = self.attention_norm(hidden + self.dropout(attended))
        widened = functional.gelu(self.widen(hidden))
        return torch.as_tensor(self.feed_forward_norm(hidden + self.dropout(self.narrow(widened))))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=INITIAL_STD)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
