"""The four objectives against their definitions, a sample, a position and a number at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from negsamp import Negatives
from negsamp_models.datasets import Dataset, ItemAttributes, Sequences
from negsamp_models.s3rec import Pretrainer, S3Rec
from negsamp_models.s3rec.inputs import Inputs
from negsamp_models.s3rec.losses import attribute_loss, preference_loss
from negsamp_models.s3rec.objectives import Objectives
from negsamp_models.s3rec.samples import Samples, draw_samples
from negsamp_models.settings import OBJECTIVES, PretrainingSettings

HEADS, MAX_LENGTH, NUM_ITEMS = 2, 6, 12
ATTRIBUTES = [[], [1], [2, 5], [2], [], [1, 2, 3], [3, 3], [4], [5], [1, 5], [2], [6, 1], [3]]
LISTS = [
    [1, 2, 3, 4, 5, 6, 7, 8],
    [9, 10, 11, 12, 2, 1],
    [3, 1, 12, 7],
    [5, 4, 3, 2, 1, 6, 8, 9, 10],
    [12, 11, 10, 9],
]


def log_sigmoid(value: float) -> float:
    return -math.log1p(math.exp(-value))


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


@pytest.fixture
def pretrainer() -> Pretrainer:
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in ATTRIBUTES])])
    attributes = ItemAttributes(
        np.concatenate([np.array(a, np.int64) for a in ATTRIBUTES]), offsets
    )
    dataset = Dataset("tiny", Sequences.from_lists(LISTS), NUM_ITEMS, attributes)
    settings = PretrainingSettings(
        max_length=MAX_LENGTH, hidden_size=8, num_heads=HEADS, mask_probability=0.4, seed=4
    )
    pretrainer = Pretrainer(dataset, settings)
    torch.manual_seed(0)
    for parameter in pretrainer.model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    pretrainer.model.double().eval()
    return pretrainer


@pytest.fixture
def samples(pretrainer: Pretrainer) -> Samples:
    numbers = np.random.default_rng(1).permutation(len(pretrainer.prefixes))
    random = np.random.default_rng(2)
    return draw_samples(pretrainer.prefixes, numbers, 0.4, pretrainer._elsewhere, random)


class Recorded:
    """A sampler whose draws are kept."""

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler
        self.item_ids: list[int] = []

    def sample(self, *arguments: Any, **named: Any) -> Negatives:
        negatives: Negatives = self.sampler.sample(*arguments, **named)
        self.item_ids = negatives.item_ids.flatten().tolist()
        return negatives


def normalised(values: Tensor, norm: torch.nn.LayerNorm) -> Tensor:
    centred = values - values.mean(-1, keepdim=True)
    return (
        centred / (centred.square().mean(-1, keepdim=True) + 1e-12).sqrt() * norm.weight + norm.bias
    )


def plain_states(model: S3Rec, items: list[int]) -> Tensor:
    """Encode one sequence, looking both ways; None stands for the mask."""
    encoder: Any = model.encoder
    first = MAX_LENGTH - len(items)
    rows = [
        encoder.items.weight[item] + encoder.positions.weight[first + place]
        for place, item in enumerate(items)
    ]
    hidden = normalised(torch.stack(rows), encoder.norm)
    for layer in encoder.layers:
        projected = hidden @ layer.queries_keys_values.weight.T + layer.queries_keys_values.bias
        size = hidden.shape[1] // HEADS
        attended = torch.empty_like(hidden)
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            queries, keys, values = (each[:, part] for each in projected.chunk(3, dim=1))
            shares = torch.softmax(queries @ keys.T / math.sqrt(size), dim=1)
            attended[:, part] = shares @ values
        attended = attended @ layer.attended.weight.T + layer.attended.bias
        hidden = normalised(hidden + attended, layer.attention_norm)
        wide = hidden @ layer.widen.weight.T + layer.widen.bias
        wide = wide * 0.5 * (1 + torch.erf(wide / math.sqrt(2)))
        narrow = wide @ layer.narrow.weight.T + layer.narrow.bias
        hidden = normalised(hidden + narrow, layer.feed_forward_norm)
    return hidden


def plain_attribute_loss(state: Tensor, map_: Any, model: S3Rec, item: int) -> float:
    projected = map_.weight @ state + map_.bias
    loss = 0.0
    for attribute in range(1, 7):
        score = float(projected @ model.attributes.weight[attribute - 1])
        loss -= log_sigmoid(score if attribute in ATTRIBUTES[item] else -score)
    return loss


@torch.no_grad()
def plain_losses(model: S3Rec, samples: Samples, negatives: list[int]) -> dict[str, float]:
    """Compute all four as the paper writes them, over samples, positions and attributes."""
    losses = dict.fromkeys(OBJECTIVES, 0.0)
    items, drawn, mask = model.encoder.item_embeddings, iter(negatives), model.mask_id
    for start, stop in pairwise(samples.prefixes.offsets):
        true = samples.prefixes.item_ids[start:stop].tolist()
        masked = samples.masked[start:stop].tolist()
        states = plain_states(model, [mask if m else i for i, m in zip(true, masked, strict=True)])
        for state, item, hidden in zip(states, true, masked, strict=True):
            if not hidden:
                losses["associated_attributes"] += plain_attribute_loss(
                    state, model.associated_attributes, model, item
                )
                continue
            losses["masked_attributes"] += plain_attribute_loss(
                state, model.masked_attributes, model, item
            )
            projected = model.masked_items.weight @ state + model.masked_items.bias
            positive, negative = (sigmoid(float(projected @ items[i])) for i in (item, next(drawn)))
            losses["masked_items"] -= log_sigmoid(positive - negative)
        if len(true) == 1:
            continue
        inside = samples.in_segment[start:stop].tolist()
        elsewhere = samples.impostors[start:stop].tolist()
        context, segment, impostor = (
            plain_states(
                model, [a if i else b for a, b, i in zip(first, second, inside, strict=True)]
            )[-1]
            for first, second in (
                ([mask] * len(true), true),
                (true, [mask] * len(true)),
                (elsewhere, [mask] * len(true)),
            )
        )
        projected = model.segments.weight @ context + model.segments.bias
        difference = sigmoid(float(projected @ segment)) - sigmoid(float(projected @ impostor))
        losses["segments"] -= log_sigmoid(difference)
    return losses


def losses_of(pretrainer: Pretrainer, samples: Samples) -> tuple[list[Tensor], list[int]]:
    recorded = Recorded(pretrainer.sampler)
    pretrainer.objectives.sampler = recorded  # type: ignore[assignment]
    inputs = Inputs.of(samples, pretrainer.model.mask_id, MAX_LENGTH)
    return pretrainer.objectives.losses(samples, inputs), recorded.item_ids


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_an_objective_is_what_it_is_defined_to_be(
    pretrainer: Pretrainer, samples: Samples, objective: str
) -> None:
    losses, negatives = losses_of(pretrainer, samples)
    plain = plain_losses(pretrainer.model, samples, negatives)
    found = float(losses[OBJECTIVES.index(objective)].detach())
    assert plain[objective] > 1
    assert found == pytest.approx(plain[objective], rel=1e-10)


@pytest.mark.parametrize(
    ("broken", "objective"),
    [
        (lambda samples: replace(samples, masked=~samples.masked), "associated_attributes"),
        (lambda samples: replace(samples, masked=~samples.masked), "masked_items"),
        (lambda samples: replace(samples, masked=~samples.masked), "masked_attributes"),
        (lambda samples: replace(samples, impostors=samples.impostors % 12 + 1), "segments"),
    ],
)
def test_the_comparison_can_fail(
    pretrainer: Pretrainer,
    samples: Samples,
    broken: Callable[[Samples], Samples],
    objective: str,
) -> None:
    losses, negatives = losses_of(pretrainer, samples)
    plain = plain_losses(pretrainer.model, broken(samples), negatives * 9)
    found = float(losses[OBJECTIVES.index(objective)].detach())
    assert found != pytest.approx(plain[objective], rel=1e-4)


def test_equal_sequences_are_encoded_once(pretrainer: Pretrainer, samples: Samples) -> None:
    inputs = Inputs.of(samples, pretrainer.model.mask_id, MAX_LENGTH)
    sequences = set()
    for batch in (inputs.whole, inputs.ends):
        assert batch is not None
        flat, segments = batch.item_ids.flatten(), batch.segment_ids.flatten()
        for number in range(1, len(batch.last) + 1):
            sequence = tuple(flat[segments == number].tolist())
            assert sequence not in sequences
            sequences.add(sequence)
    num_alone = int((samples.prefixes.lengths == 1).sum())
    assert num_alone == 5  # they are all the mask alone
    assert len(sequences) < 4 * len(samples.numbers) - 3 * num_alone
    assert (pretrainer.model.mask_id,) in sequences


def test_the_gradient_of_the_attribute_loss_is_that_of_the_plain_one() -> None:
    torch.manual_seed(1)
    projected = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    embeddings = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    rows, columns = torch.tensor([0, 0, 2, 4]), torch.tensor([1, 3, 0, 2])
    truth = torch.zeros(5, 4, dtype=torch.float64).index_put(
        (rows, columns), torch.tensor(1.0).double()
    )

    def gradients(loss: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(3 * loss, [projected, embeddings])

    plain = torch.nn.functional.binary_cross_entropy_with_logits(
        projected @ embeddings.T, truth, reduction="sum"
    )
    found = attribute_loss(projected, embeddings, rows, columns)
    torch.testing.assert_close(found, plain, rtol=1e-12, atol=0)
    for mine, theirs in zip(gradients(found), gradients(plain), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)


def test_bounds_of_a_preference() -> None:
    far = torch.tensor([40.0])
    assert float(preference_loss(far, -far)) == pytest.approx(math.log(1 + math.exp(-1)), rel=1e-6)
    assert float(preference_loss(-far, far)) == pytest.approx(math.log(1 + math.e), rel=1e-6)
    assert float(preference_loss(far, far)) == pytest.approx(math.log(2), rel=1e-6)


def test_the_weights_of_the_objectives_are_the_published_ones(
    pretrainer: Pretrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    totals: list[float] = []
    losses = [torch.tensor(value, requires_grad=True) for value in (1.0, 10.0, 100.0, 1000.0)]
    monkeypatch.setattr(Objectives, "losses", lambda *_: losses)
    monkeypatch.setattr(Tensor, "backward", lambda total: totals.append(total.item()))
    values, _ = pretrainer._step(np.arange(3), np.random.default_rng(0))
    assert values == [1.0, 10.0, 100.0, 1000.0]
    assert totals == [pytest.approx(0.2 * 1 + 1.0 * 10 + 1.0 * 100 + 0.5 * 1000)]
