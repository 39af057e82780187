"""Training losses for any number of negatives."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from negsamp import InvalidInputError, Negatives

__all__ = ["bpr_loss", "nce_loss", "sampled_softmax_loss"]


def nce_loss(
    queries: Tensor,
    item_embeddings: Tensor,
    targets: Tensor,
    negatives: Negatives,
    mask: Tensor | None = None,
) -> Tensor:
    """Classify targets against negatives by binary cross-entropy (NCE).

    The mean over rows of ``-log sigmoid(h . s+) - sum_k log sigmoid(-h . s-_k)``.

    Parameters
    ----------
    queries : float, shape targets.shape + (dim,)
        h.
    item_embeddings : float, shape (num_embeddings, dim)
        s, by item id.
    targets : int64, any shape
        Positives, one per row.
    negatives : Negatives
        What a sampler drew for the targets; arrays of shape targets.shape + (num_negatives,).
    mask : bool, shape targets.shape, optional
        Rows that count, at least one; the others contribute no gradient.

    Returns
    -------
    float, zero-dimensional
        In nats per row.

    Raises
    ------
    InvalidInputError
        If a shape does not fit.

    References
    ----------
    Chen et al., "Generating Negative Samples for Sequential Recommendation", eq. 4.
    """
    positive, negative = _scores(queries, item_embeddings, targets, negatives, mask)
    return _mean(functional.softplus(-positive), mask) + _mean(
        functional.softplus(negative).sum(-1), mask
    )


def bpr_loss(
    queries: Tensor,
    item_embeddings: Tensor,
    targets: Tensor,
    negatives: Negatives,
    mask: Tensor | None = None,
) -> Tensor:
    """Rank each target above its negatives (BPR).

    The mean over rows of ``-sum_k log sigmoid(h . s+ - h . s-_k)``. Parameters, result and errors
    are those of :func:`nce_loss`.

    References
    ----------
    Rendle et al., "BPR", UAI 2009; Chen et al., section 4.2.
    """
    positive, negative = _scores(queries, item_embeddings, targets, negatives, mask)
    return _mean(functional.softplus(negative - positive[..., None]).sum(-1), mask)


def sampled_softmax_loss(
    queries: Tensor,
    item_embeddings: Tensor,
    targets: Tensor,
    negatives: Negatives,
    mask: Tensor | None = None,
) -> Tensor:
    """Classify the target by a softmax over it and its negatives, corrected by ``log_q``.

    The mean over rows of ``-log(exp(s+) / (exp(s+) + sum_k exp(s_k) / (K Q(k))))``, with s+ and s_k
    the scores of the target and of K negatives, and log Q their ``log_q``. Whatever the law Q, the
    sum over k estimates without bias the sum of exp(s_i) over the items that the sampler may draw;
    without Q, items that are drawn often would count too much. Parameters, result and errors are
    those of :func:`nce_loss`.

    Notes
    -----
    GenNi with alpha = 1 and beta = 1 draws in proportion to exp(s_i), so all terms are equal. With
    any number of negatives, the loss is then that of the full softmax over target and admissible
    items, and so is its gradient in expectation. With other laws both hold in the limit of many
    negatives. With beta < 1 the sum is over the pre-selected items alone.

    References
    ----------
    Bengio and Senécal, "Adaptive importance sampling to accelerate training of a neural
    probabilistic language model", IEEE Transactions on Neural Networks 19(4), 2008.
    """
    positive, negative = _scores(queries, item_embeddings, targets, negatives, mask)
    corrected = negative - negatives.log_q - math.log(negative.shape[-1])
    every = torch.cat([positive[..., None], corrected], dim=-1)
    return _mean(every.logsumexp(-1) - positive, mask)


def _scores(
    queries: Tensor,
    item_embeddings: Tensor,
    targets: Tensor,
    negatives: Negatives,
    mask: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Return the scores of targets, of their shape, and of negatives, with a trailing axis."""
    _check_shapes(queries, item_embeddings, targets, negatives, mask)
    ids = torch.cat([targets[..., None], negatives.item_ids], dim=-1)
    scores = (functional.embedding(ids, item_embeddings) * queries[..., None, :]).sum(-1)
    return scores[..., 0], scores[..., 1:]


def _check_shapes(
    queries: Tensor,
    item_embeddings: Tensor,
    targets: Tensor,
    negatives: Negatives,
    mask: Tensor | None,
) -> None:
    """Refuse shapes that torch would broadcast: the loss of wrongly paired rows is finite too."""
    rows, drawn = targets.shape, negatives.item_ids.shape
    if drawn[:-1] != rows or len(drawn) == len(rows):
        raise _misshapen("negatives.item_ids", drawn, "targets.shape + (num_negatives,)", rows)
    if negatives.log_q.shape != drawn:
        raise _misshapen("negatives.log_q", negatives.log_q.shape, "that of item_ids", rows)
    if queries.shape != (*rows, item_embeddings.shape[-1]):
        raise _misshapen("queries", queries.shape, "targets.shape + (dim,)", rows)
    if mask is not None and mask.shape != rows:
        raise _misshapen("mask", mask.shape, "targets.shape", rows)


def _misshapen(name: str, shape: torch.Size, allowed: str, rows: torch.Size) -> InvalidInputError:
    return InvalidInputError(
        f"the shape of {name} must be {allowed}; got {tuple(shape)} for targets of shape "
        f"{tuple(rows)}"
    )


def _mean(losses: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean over the rows in the mask, or over all."""
    return losses.mean() if mask is None else losses.masked_fill(~mask, 0.0).sum() / mask.sum()
