"""Losses against their formulas, a row and a negative at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from negsamp_models.losses import bpr_loss, nce_loss

Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def log_sigmoid(value: float) -> float:
    return -math.log1p(math.exp(-value)) if value > 0 else value - math.log1p(math.exp(value))


def plain_nce(positive: float, negatives: list[float]) -> float:
    return -log_sigmoid(positive) - sum(log_sigmoid(-each) for each in negatives)


def plain_bpr(positive: float, negatives: list[float]) -> float:
    return -sum(log_sigmoid(positive - each) for each in negatives)


def inputs(num_negatives: int, scale: float = 1.0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(num_negatives)
    queries = torch.randn(5, 3, generator=generator, dtype=torch.float64) * scale
    items = torch.randn(7, 3, generator=generator, dtype=torch.float64) * scale
    targets = torch.randint(1, 7, (5,), generator=generator)
    negatives = torch.randint(1, 7, (5, num_negatives), generator=generator)
    return queries, items, targets, negatives


@pytest.mark.parametrize("scale", [1.0, 30.0])
@pytest.mark.parametrize("num_negatives", [1, 2, 9])
@pytest.mark.parametrize(("loss", "plain"), [(nce_loss, plain_nce), (bpr_loss, plain_bpr)])
def test_formula(
    loss: Loss, plain: Callable[[float, list[float]], float], num_negatives: int, scale: float
) -> None:
    queries, items, targets, negatives = inputs(num_negatives, scale)
    expected = 0.0
    for row in range(5):
        scores = (items @ queries[row]).tolist()
        expected += plain(scores[targets[row]], [scores[i] for i in negatives[row]]) / 5
    assert loss(queries, items, targets, negatives).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("loss", [nce_loss, bpr_loss])
def test_gradients(loss: Loss) -> None:
    queries, items, targets, negatives = inputs(3)
    assert torch.autograd.gradcheck(
        lambda q, i: loss(q, i, targets, negatives),
        (queries.requires_grad_(), items.requires_grad_()),
    )


@pytest.mark.parametrize("loss", [nce_loss, bpr_loss])
def test_huge_scores_stay_finite(loss: Loss) -> None:
    queries, items, targets, negatives = (each.clone() for each in inputs(2, 1e18))
    queries.requires_grad_()
    value = loss(queries, items, targets, negatives)
    value.backward()  # type: ignore[no-untyped-call]
    assert math.isfinite(value.item())
    assert queries.grad is not None
    assert bool(queries.grad.isfinite().all())
