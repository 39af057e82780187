"""Losses against their formulas, a row and a negative at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from negsamp import DotProduct, GenNi, InvalidInputError, Negatives, Popularity, Sampler, Uniform
from negsamp_models.losses import bpr_loss, nce_loss, sampled_softmax_loss

Loss = Callable[[Tensor, Tensor, Tensor, Negatives], Tensor]
Plain = Callable[[float, list[float], list[float]], float]
LOSSES: list[Loss] = [nce_loss, bpr_loss, sampled_softmax_loss]


def log_sigmoid(value: float) -> float:
    return -math.log1p(math.exp(-value)) if value > 0 else value - math.log1p(math.exp(value))


def plain_nce(positive: float, negatives: list[float], _: list[float]) -> float:
    return -log_sigmoid(positive) - sum(log_sigmoid(-each) for each in negatives)


def plain_bpr(positive: float, negatives: list[float], _: list[float]) -> float:
    return -sum(log_sigmoid(positive - each) for each in negatives)


def plain_softmax(positive: float, negatives: list[float], log_q: list[float]) -> float:
    shares = [each - q - math.log(len(negatives)) for each, q in zip(negatives, log_q, strict=True)]
    highest = max(positive, *shares)
    total = sum(math.exp(each - highest) for each in [positive, *shares])
    return highest + math.log(total) - positive


def inputs(num_negatives: int, scale: float = 1.0) -> tuple[Tensor, Tensor, Tensor, Negatives]:
    generator = torch.Generator().manual_seed(num_negatives)
    queries = (torch.randn(5, 3, generator=generator) * scale).double()  # as draws read them
    items = (torch.randn(7, 3, generator=generator) * scale).double()
    targets = torch.randint(1, 7, (5,), generator=generator)
    negatives = torch.randint(1, 7, (5, num_negatives), generator=generator)
    log_q = -torch.rand(5, num_negatives, generator=generator, dtype=torch.float64) * 9
    return queries, items, targets, Negatives(negatives, log_q)


@pytest.mark.parametrize("scale", [1.0, 30.0])
@pytest.mark.parametrize("num_negatives", [1, 2, 9])
@pytest.mark.parametrize(
    ("loss", "plain"),
    [(nce_loss, plain_nce), (bpr_loss, plain_bpr), (sampled_softmax_loss, plain_softmax)],
)
def test_formula(loss: Loss, plain: Plain, num_negatives: int, scale: float) -> None:
    queries, items, targets, negatives = inputs(num_negatives, scale)
    expected = 0.0
    for row in range(5):
        scores = (items @ queries[row]).tolist()
        drawn = [scores[i] for i in negatives.item_ids[row]]
        expected += plain(scores[targets[row]], drawn, negatives.log_q[row].tolist()) / 5
    assert loss(queries, items, targets, negatives).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("shape", [(6,), (2, 3), (3, 2), (1, 2, 3)], ids=str)
@pytest.mark.parametrize("loss", [nce_loss, bpr_loss, sampled_softmax_loss])
def test_targets_of_any_shape_are_so_many_rows(
    loss: Callable[..., Tensor], shape: tuple[int, ...], masked: bool
) -> None:
    """Also where the last axis is as long as a row has negatives: nothing may be broadcast."""
    queries, items, targets, negatives = inputs(3)
    queries, targets, ids, log_q = (
        torch.cat([each, each[:1]]) for each in (queries, targets, *negatives)
    )
    mask = torch.arange(6) % 3 > 0 if masked else None
    flat = loss(queries, items, targets, Negatives(ids, log_q), mask)
    shaped = loss(
        queries.reshape(*shape, -1),
        items,
        targets.reshape(shape),
        Negatives(ids.reshape(*shape, -1), log_q.reshape(*shape, -1)),
        None if mask is None else mask.reshape(shape),
    )
    assert shaped.item() == pytest.approx(flat.item(), rel=1e-12)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"queries": (3, 3)}, r"of queries must be targets.shape \+ \(dim,\); got \(3, 3\) for"),
        ({"queries": (4, 3, 5)}, r"of queries .* got \(4, 3, 5\) for targets of shape \(4, 3\)"),
        ({"ids": (4, 3)}, r"of negatives.item_ids must be targets.shape \+ \(num_negatives,\)"),
        ({"ids": (12, 2)}, r"of negatives.item_ids .* got \(12, 2\) for targets of shape"),
        ({"log_q": (4, 3, 1)}, r"of negatives.log_q must be that of item_ids; got \(4, 3, 1\)"),
        ({"mask": (3,)}, r"of mask must be targets.shape; got \(3,\) for targets"),
    ],
)
@pytest.mark.parametrize("loss", [nce_loss, bpr_loss, sampled_softmax_loss])
def test_shapes_that_do_not_fit_are_refused(
    loss: Callable[..., Tensor], wrong: dict[str, tuple[int, ...]], message: str
) -> None:
    right = {"queries": (4, 3, 3), "ids": (4, 3, 2), "log_q": (4, 3, 2), "mask": (4, 3)}
    shapes = right | wrong
    negatives = Negatives(
        torch.ones(shapes["ids"], dtype=torch.int64), torch.zeros(shapes["log_q"])
    )
    mask, targets = torch.ones(shapes["mask"]).bool(), torch.ones(4, 3, dtype=torch.int64)
    with pytest.raises(InvalidInputError, match=message):
        loss(torch.zeros(shapes["queries"]), torch.zeros(7, 3), targets, negatives, mask)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients(loss: Loss) -> None:
    queries, items, targets, negatives = inputs(3)
    assert torch.autograd.gradcheck(
        lambda q, i: loss(q, i, targets, negatives),
        (queries.requires_grad_(), items.requires_grad_()),
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_huge_scores_stay_finite(loss: Loss) -> None:
    queries, items, targets, negatives = inputs(2, 1e18)
    queries.requires_grad_()
    value = loss(queries, items, targets, negatives)
    value.backward()  # type: ignore[no-untyped-call]
    assert math.isfinite(value.item())
    assert queries.grad is not None
    assert bool(queries.grad.isfinite().all())


# The sampled softmax against the full one, on a catalogue that can be enumerated.


def full_softmax(queries: Tensor, items: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over rows of the cross entropy over items 1, 2, ..."""
    scores = queries @ items[1:].T
    return torch.nn.functional.cross_entropy(scores, targets - 1)


def law_of(sampler: Sampler, queries: Tensor, items: Tensor, targets: Tensor) -> Tensor:
    law = sampler.probabilities(targets, score=DotProduct(queries, items))
    return torch.as_tensor(law)


def gradients(value: Tensor, *parameters: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(value, parameters))


def expected_loss(
    law: Tensor, queries: Tensor, items: Tensor, targets: Tensor, broken: bool = False
) -> Tensor:
    """Return the mean of the loss with one negative over all that can be drawn, row by row."""
    total = queries.new_zeros(())
    for row, target in enumerate(targets.tolist()):
        for item in range(1, len(items)):
            if item == target:
                continue
            share = law[row, item - 1]
            log_q = torch.zeros_like(share) if broken else share.log()
            negatives = Negatives(torch.tensor([[item]]), log_q[None, None])
            one = slice(row, row + 1)
            loss = sampled_softmax_loss(queries[one], items, targets[one], negatives)
            total = total + share * loss / len(targets)
    return total


@pytest.mark.parametrize("broken", [False, True])
def test_genni_at_alpha_1_gives_the_gradient_of_the_full_softmax(broken: bool) -> None:
    queries, items, targets, _ = inputs(1)
    queries.requires_grad_()
    items.requires_grad_()
    law = law_of(GenNi(items=range(1, 7), alpha=1.0), queries.detach(), items.detach(), targets)
    value = expected_loss(law, queries, items, targets, broken)
    full = full_softmax(queries, items, targets)
    same = [
        torch.allclose(one, other, rtol=0, atol=1e-12)
        for one, other in zip(
            [value, *gradients(value, queries, items)],
            [full, *gradients(full, queries, items)],
            strict=True,
        )
    ]
    assert same == [not broken] * 3


@pytest.mark.parametrize("num_negatives", [1, 5])
def test_genni_at_alpha_1_gives_the_loss_of_the_full_softmax_at_every_draw(
    num_negatives: int,
) -> None:
    queries, items, targets, _ = inputs(1)
    queries, items = queries.float(), items.float()
    sampler = GenNi(items=range(1, 7), num_negatives=num_negatives, alpha=1.0)
    full = full_softmax(queries, items, targets).item()
    for _ in range(20):
        drawn = sampler.sample(targets, score=DotProduct(queries, items))
        loss = sampled_softmax_loss(queries, items, targets, drawn).item()
        assert loss == pytest.approx(full, rel=1e-5)


@pytest.mark.parametrize(
    "sampler",
    [
        Uniform(items=range(1, 7)),
        Popularity(items=range(1, 7), counts=[0, 9, 1, 4, 2, 7, 3], gamma=0.75),
        GenNi(items=range(1, 7), alpha=2.5),
    ],
    ids=["uniform", "popularity", "GenNi"],
)
def test_corrected_by_log_q_the_sum_over_all_items_is_met_on_average(sampler: Sampler) -> None:
    queries, items, targets, _ = inputs(1)
    law = law_of(sampler, queries, items, targets)
    weights = (queries @ items[1:].T).exp()
    target = weights.gather(1, targets[:, None] - 1)[:, 0]
    expected = torch.zeros(5, dtype=torch.float64)
    for item in range(1, 7):
        share = law[:, item - 1]
        ids = torch.full((5, 1), item)
        for row in torch.nonzero(share)[:, 0].tolist():
            one = slice(row, row + 1)
            drawn = Negatives(ids[one], share[one, None].log())
            loss = sampled_softmax_loss(queries[one], items, targets[one], drawn)
            expected[row] += share[row] * target[row] * loss.exp()
    assert torch.allclose(expected, weights.sum(1), rtol=1e-12)


@pytest.mark.parametrize(("beta", "num_candidates"), [(1.0, 40), (0.25, 10), (0.1, 4)])
def test_the_sum_over_a_pre_selection_has_a_share_of_the_candidates_in_it(
    beta: float, num_candidates: int
) -> None:
    """What ``docs/laws.md`` says of log k and of log(m / V), of 20,000 equal rows."""
    generator = torch.Generator().manual_seed(2)
    queries = torch.randn(1, 3, generator=generator).expand(20_000, 3)
    items, targets = torch.randn(41, 3, generator=generator), torch.ones(20_000).long()
    sampler = GenNi(
        range(1, 41), num_negatives=4, alpha=0.5, beta=beta, candidates="query", backend="torch"
    )
    drawn = sampler.sample(targets, score=DotProduct(queries, items))
    scores = (queries[:, None] * items[drawn.item_ids]).sum(-1)
    logits = scores - drawn.log_q - math.log(4) - math.log(num_candidates / 40)
    sums = logits.double().exp().sum(1)
    expected = (queries[0] @ items[2:].T).double().exp().sum()
    error = sums.std() / math.sqrt(len(sums))
    assert abs(float((sums.mean() - expected) / error)) < 4
    assert float(error / expected) < 0.01
