"""The encoder against its equations, written out a sequence at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from negsamp import ConfigError, InvalidInputError
from negsamp_models.datasets.packing import pack, pad
from negsamp_models.datasets.sequences import Int64Array
from negsamp_models.sasrec import SASRec

MAX_LENGTH, NUM_ITEMS, HEADS = 7, 11, 2
Sequences = st.lists(
    st.lists(st.integers(1, NUM_ITEMS), min_size=1, max_size=MAX_LENGTH), min_size=1, max_size=9
)


def rows(sequences: list[list[int]]) -> tuple[Int64Array, Int64Array]:
    lengths = [len(each) for each in sequences]
    return np.concatenate(sequences), np.concatenate([[0], np.cumsum(lengths)])


@pytest.fixture(scope="module")
def model() -> SASRec:
    torch.manual_seed(0)
    model = SASRec(NUM_ITEMS, 8, num_layers=2, num_heads=HEADS, max_length=MAX_LENGTH, dropout=0.5)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model.double().eval()


def normalised(values: Tensor, norm: torch.nn.LayerNorm) -> Tensor:
    centred = values - values.mean(-1, keepdim=True)
    deviation = (centred.square().mean(-1, keepdim=True) + 1e-12).sqrt()
    return centred / deviation * norm.weight + norm.bias


def plain_encoding(model: SASRec, items: list[int]) -> Tensor:
    """Encode one sequence position by position, head by head."""
    first = MAX_LENGTH - len(items)
    hidden = torch.stack(
        [
            model.items.weight[item] + model.positions.weight[first + t]
            for t, item in enumerate(items)
        ]
    )
    hidden = normalised(hidden, model.norm)
    layers: Any = model.layers
    for layer in layers:
        projected = hidden @ layer.queries_keys_values.weight.T + layer.queries_keys_values.bias
        size = hidden.shape[1] // HEADS
        attended = torch.empty_like(hidden)
        for t in range(len(items)):
            for head in range(HEADS):
                part = slice(head * size, (head + 1) * size)
                queries, keys, values = (each[:, part] for each in projected.chunk(3, dim=1))
                weights = torch.softmax(keys[: t + 1] @ queries[t] / math.sqrt(size), dim=0)
                attended[t, part] = weights @ values[: t + 1]
        attended = attended @ layer.attended.weight.T + layer.attended.bias
        hidden = normalised(hidden + attended, layer.attention_norm)
        wide = hidden @ layer.widen.weight.T + layer.widen.bias
        wide = wide * 0.5 * (1 + torch.erf(wide / math.sqrt(2)))
        narrow = wide @ layer.narrow.weight.T + layer.narrow.bias
        hidden = normalised(hidden + narrow, layer.feed_forward_norm)
    return hidden


@given(Sequences)
def test_packed_padded_and_plain_agree(model: SASRec, sequences: list[list[int]]) -> None:
    packed, padded = pack(*rows(sequences), MAX_LENGTH), pad(*rows(sequences), MAX_LENGTH)
    plain = torch.cat([plain_encoding(model, each) for each in sequences])
    for batch in (packed, padded):
        hidden = model(batch)
        torch.testing.assert_close(batch.tokens(hidden), plain, rtol=0, atol=1e-10)
        lasts = plain[rows(sequences)[1][1:] - 1]
        torch.testing.assert_close(batch.last_tokens(hidden), lasts, rtol=0, atol=1e-10)
        assert bool(hidden.isfinite().all())


@given(Sequences)
def test_packed_and_padded_have_the_same_gradients(
    model: SASRec, sequences: list[list[int]]
) -> None:
    gradients = []
    for batch in (pack(*rows(sequences), MAX_LENGTH, 2 * MAX_LENGTH), pad(*rows(sequences), 7)):
        model.zero_grad()
        batch.tokens(model(batch)).square().sum().backward()  # type: ignore[no-untyped-call]
        gradients.append([each.grad for each in model.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-9, atol=1e-9)


def test_float32_agrees_too() -> None:
    torch.manual_seed(1)
    model = SASRec(NUM_ITEMS, 64, max_length=MAX_LENGTH).eval()
    sequences = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10, 11], [2, 2]]
    packed, padded = pack(*rows(sequences), MAX_LENGTH), pad(*rows(sequences), MAX_LENGTH)
    torch.testing.assert_close(
        packed.tokens(model(packed)), padded.tokens(model(padded)), rtol=0, atol=1e-5
    )


def test_the_comparison_can_fail(model: SASRec, monkeypatch: pytest.MonkeyPatch) -> None:
    sequences = [[1, 2, 3], [4, 5]]
    batch = pack(*rows(sequences), MAX_LENGTH)
    leaky = torch.ones_like(batch.causal_mask()).tril()
    monkeypatch.setattr(type(batch), "causal_mask", lambda _: leaky)
    plain = torch.cat([plain_encoding(model, each) for each in sequences])
    assert float((batch.tokens(model(batch)) - plain).detach().abs().max()) > 1e-3


def test_initial_values() -> None:
    torch.manual_seed(2)
    model = SASRec(5000)
    assert model.item_embeddings.shape == (5001, 64)
    for name, parameter in model.named_parameters():
        if "norm" in name:
            assert bool((parameter == (1.0 if name.endswith("weight") else 0.0)).all())
        elif name.endswith("bias"):
            assert bool((parameter == 0).all())
        else:
            tolerance = 5 * 0.02 / math.sqrt(2 * parameter.numel())
            assert float(parameter.detach().std()) == pytest.approx(0.02, abs=tolerance)
            assert abs(float(parameter.detach().mean())) < 5 * 0.02 / math.sqrt(parameter.numel())


def test_dropout_is_for_training_only() -> None:
    torch.manual_seed(3)
    model = SASRec(NUM_ITEMS, 16, max_length=MAX_LENGTH)
    batch = pack(*rows([[1, 2, 3]]), MAX_LENGTH)
    assert not torch.equal(model(batch), model(batch))
    model.eval()
    assert torch.equal(model(batch), model(batch))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"num_heads": 3},
            InvalidInputError,
            "num_heads must divide hidden_size; got num_heads 3, hidden_size 64",
        ),
        ({"dropout": 1.0}, InvalidInputError, r"dropout must be in \[0, 1\); got 1.0"),
        ({"max_length": 0}, ConfigError, "max_length must be an integer >= 1; got 0"),
        ({"num_layers": 0}, ConfigError, "num_layers must be an integer >= 1; got 0"),
    ],
)
def test_wrong_sizes(arguments: dict[str, float], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        SASRec(NUM_ITEMS, **arguments)  # type: ignore[arg-type]


def test_attention_with_noise_is_attention_but_for_the_noise(model: SASRec) -> None:
    layer: Any = model.layers[0]
    torch.manual_seed(5)
    queries, keys, values = torch.randn(3, 2, HEADS, 5, 4, dtype=torch.float64)
    batch = pack(*rows([[1, 2, 3], [4], [5, 6, 7, 8, 9]]), 5)
    mask = batch.causal_mask()
    exact = layer._attend(queries, keys, values, mask)
    layer.train()
    noisy = torch.stack([layer._attend(queries, keys, values, mask) for _ in range(4000)])
    layer.eval()
    deviation = noisy.std(0) / 4000**0.5
    assert bool(((noisy.mean(0) - exact).abs() < 6 * deviation + 1e-12).all())
    assert not torch.equal(noisy[0], noisy[1])


def test_the_ends_of_a_layer_are_those_of_all_of_it(model: SASRec) -> None:
    layer: Any = model.layers[1]
    torch.manual_seed(6)
    batch = pack(*rows([[1, 2, 3], [4], [5, 6, 7, 8, 9], [2, 1]]), MAX_LENGTH)
    hidden = torch.randn(*batch.item_ids.shape, 8, dtype=torch.float64)
    whole = batch.last_tokens(layer(hidden, batch.bidirectional_mask()))
    torch.testing.assert_close(layer.ends(hidden, batch), whole, rtol=0, atol=1e-10)
    causal = batch.last_tokens(layer(hidden, batch.bidirectional_mask().tril()))
    torch.testing.assert_close(causal, whole, rtol=0, atol=1e-10)  # ends see all before them
    assert (layer.ends(100 * hidden, batch) - whole).abs().max().item() > 1e-3


def test_ends_are_those_of_the_whole_encoding(model: SASRec) -> None:
    batch = pack(*rows([[1, 2, 3], [4], [5, 6, 7, 8, 9], [2, 1]]), MAX_LENGTH)
    whole = batch.last_tokens(model(batch))
    torch.testing.assert_close(model.ends(batch), whole, rtol=0, atol=1e-10)


def test_the_bidirectional_mask_is_the_causal_one_and_its_transpose() -> None:
    batch = pack(*rows([[1, 2, 3], [4], [5, 6, 7, 8]]), MAX_LENGTH)
    causal, used = batch.causal_mask(), batch.segment_ids != 0
    both = batch.bidirectional_mask() & (used[:, :, None] & used[:, None, :]).unsqueeze(1)
    either = causal | causal.transpose(-1, -2)
    assert torch.equal(both, either & used[:, None, :, None])
