"""The two kinds of loss behind the four objectives of S3-Rec."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

__all__ = ["attribute_loss", "preference_loss"]


def attribute_loss(projected: Tensor, embeddings: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Predict the attributes of items by binary cross-entropy over all attributes.

    The sum over rows r and attributes a of the binary cross-entropy of ``sigmoid(h_r . e_a)``
    against whether a is an attribute of r:
    ``sum_ra log(1 + exp(h_r . e_a)) - sum_(r, a) in pairs h_r . e_a``.

    Parameters
    ----------
    projected : float, shape (num_rows, dim)
        h: hidden states after the linear map of the objective.
    embeddings : float, shape (num_attributes, dim)
        e.
    rows, columns : int64, shape (num_pairs,)
        The true attributes: row ``rows[p]`` has attribute ``columns[p]``. No pair twice.

    Returns
    -------
    float, zero-dimensional
        In nats.

    Notes
    -----
    Three matrix products and two passes over the num_rows x num_attributes logits, forward and
    backward together: the gradient of the logits, ``sigmoid - truth``, overwrites them in place.

    References
    ----------
    Zhou et al., CIKM 2020, section 4.2, on associated and on masked attributes, with the binary
    cross-entropy over all attributes that the authors' code computes.
    """
    return torch.as_tensor(
        _AttributeLoss.apply(projected, embeddings, rows, columns)  # type: ignore[no-untyped-call]
    )


def preference_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """Rank the true item or segment above the negative.

    The sum over rows of ``-log sigmoid(sigmoid(positive) - sigmoid(negative))``.

    Parameters
    ----------
    positive, negative : float, of the same shape
        Scores.

    Returns
    -------
    float, zero-dimensional
        In nats; a row is between log(1 + 1 / e) = 0.313 and log(1 + e) = 1.313.

    References
    ----------
    Zhou et al., CIKM 2020, section 4.2, on masked items and on segments, with one negative. Their
    scores are bilinear forms inside a sigmoid, hence the inner one.
    """
    return functional.softplus(negative.sigmoid() - positive.sigmoid()).sum()


class _AttributeLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, projected: Tensor, embeddings: Tensor, rows: Tensor, columns: Tensor
    ) -> Tensor:
        logits = projected @ embeddings.T
        loss = functional.softplus(logits).sum() - logits[rows, columns].sum()
        residuals = logits.sigmoid_()
        residuals[rows, columns] -= 1
        ctx.save_for_backward(projected, embeddings, residuals)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        projected, embeddings, residuals = ctx.saved_tensors
        return (
            (residuals @ embeddings) * gradient,
            (residuals.T @ projected) * gradient,
            None,
            None,
        )
