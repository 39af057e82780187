"""Cheap dropout has the law of dropout."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from negsamp_models.dropout import Dropout

LEVEL = 1e-6
NUM = 400_000


@pytest.mark.parametrize("p", [0.5, 0.2, 0.9, 1e-3])
def test_elements_are_dropped_with_probability_p(p: float) -> None:
    torch.manual_seed(1)
    noisy = Dropout(p)(torch.ones(NUM))
    dropped = int((noisy == 0).sum())
    assert stats.binomtest(dropped, NUM, p).pvalue > LEVEL
    assert stats.binomtest(dropped, NUM, min(1.5 * p, 0.95)).pvalue < LEVEL
    kept = noisy[noisy != 0]
    assert float(kept.min()) == float(kept.max()) == pytest.approx(1 / (1 - p), rel=1e-3)


def test_the_four_elements_of_a_word_are_independent() -> None:
    torch.manual_seed(2)
    dropped = (Dropout(0.3)(torch.ones(NUM)) == 0).view(-1, 4)
    numbers = (dropped * torch.tensor([1, 2, 4, 8])).sum(1)
    counts = torch.bincount(numbers, minlength=16).tolist()
    expected = [
        0.3 ** bin(number).count("1") * 0.7 ** (4 - bin(number).count("1")) * NUM / 4
        for number in range(16)
    ]
    assert stats.chisquare(counts, expected).pvalue > LEVEL
    assert stats.chisquare(counts, [NUM / 64] * 16).pvalue < LEVEL


def test_the_mean_stays() -> None:
    torch.manual_seed(3)
    noisy = Dropout(1 / 3)(torch.ones(NUM, dtype=torch.float64))
    assert float(noisy.mean()) == pytest.approx(1, abs=6 * (0.5 / NUM) ** 0.5)


def test_gradients_go_where_values_went() -> None:
    torch.manual_seed(4)
    values = torch.randn(7, 5, requires_grad=True)
    noisy = Dropout(0.5)(values)
    (gradient,) = torch.autograd.grad(noisy.sum(), values)
    torch.testing.assert_close(gradient * values, noisy)
    assert set(gradient.flatten().tolist()) == {0.0, 2.0}


def test_evaluation_and_p_0_leave_values_alone() -> None:
    values = torch.randn(9)
    assert Dropout(0.5).eval()(values) is values
    assert Dropout(0.0)(values) is values


def test_a_seed_decides_the_noise() -> None:
    noises = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        noises.append(Dropout(0.5)(torch.ones(100)))
    assert torch.equal(noises[0], noises[1])
    assert not torch.equal(noises[0], noises[2])


def test_an_empty_tensor_stays_empty() -> None:
    assert Dropout(0.5)(torch.empty(0, 3)).shape == (0, 3)
