"""Losses for any number of negatives."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["bpr_loss", "nce_loss"]


def nce_loss(
    queries: Tensor, item_embeddings: Tensor, targets: Tensor, negatives: Tensor
) -> Tensor:
    """Tell targets from negatives, as a binary classifier does.

    The mean over rows of ``-log sigmoid(h . s+) - sum_k log sigmoid(-h . s-_k)``.

    Parameters
    ----------
    queries : float, shape (num_rows, dim)
        h.
    item_embeddings : float, shape (num_embeddings, dim)
        s, by item id.
    targets : int64, shape (num_rows,)
        Positives.
    negatives : int64, shape (num_rows, num_negatives)
        Sampled negatives.

    Returns
    -------
    float, zero-dimensional
        In nats a row.

    References
    ----------
    Chen et al., "Generating Negative Samples for Sequential Recommendation", eq. 4.
    """
    positive, negative = _scores(queries, item_embeddings, targets, negatives)
    return functional.softplus(-positive).mean() + functional.softplus(negative).sum(1).mean()


def bpr_loss(
    queries: Tensor, item_embeddings: Tensor, targets: Tensor, negatives: Tensor
) -> Tensor:
    """Rank targets above negatives.

    The mean over rows of ``-sum_k log sigmoid(h . s+ - h . s-_k)``. The parameters and the result
    are those of :func:`nce_loss`.

    References
    ----------
    Rendle et al., "BPR", UAI 2009; Chen et al., section 4.2.
    """
    positive, negative = _scores(queries, item_embeddings, targets, negatives)
    return functional.softplus(negative - positive[:, None]).sum(1).mean()


def _scores(
    queries: Tensor, item_embeddings: Tensor, targets: Tensor, negatives: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the scores of targets, (num_rows,), and of negatives, (num_rows, num_negatives)."""
    ids = torch.cat([targets[:, None], negatives], dim=1)
    scores = (functional.embedding(ids, item_embeddings) * queries[:, None, :]).sum(-1)
    return scores[:, 0], scores[:, 1:]
