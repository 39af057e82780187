"""Schedules: the paper's equations, and values that belong to one sampler alone."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

from negsamp import (
    ConfigError,
    DotProduct,
    Exponential,
    GenNi,
    Linear,
    LossDriven,
    NegSampWarning,
    Uniform,
)
from negsamp.schedules import Schedule


def test_exponential_is_equation_7() -> None:
    schedule = Exponential(m=40)
    for epoch in range(200):
        expected = min(0.001 * 10 ** (epoch / 40), 1.0)
        assert schedule.at_epoch(0.3, epoch) == pytest.approx(expected, rel=1e-12)
    assert schedule.at_epoch(0.3, 10**9) == 1.0


def test_linear_goes_there_and_stays() -> None:
    schedule = Linear(initial=1.0, final=0.2, epochs=4)
    values = [schedule.at_epoch(9.9, epoch) for epoch in range(6)]
    assert values == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2, 0.2])
    assert schedule.bounds == (0.2, 1.0)


def test_loss_driven_follows_the_loss() -> None:
    sampler = GenNi(5, alpha=LossDriven(initial=1.0, step=0.25, low=0.5, high=1.5))
    seen = []
    for loss in (3.0, 2.0, 2.0, 1.0, 0.9, 0.8, 0.7, 5.0, 6.0, 7.0, 8.0, 9.0):
        sampler.update(loss)
        seen.append(sampler.alpha)
    assert seen == [1.0, 1.25, 1.0, 1.25, 1.5, 1.5, 1.5, 1.25, 1.0, 0.75, 0.5, 0.5]


def test_alpha_and_beta_move_together_and_apart() -> None:
    beta = LossDriven(initial=0.5, step=0.1, low=0.1, high=1.0)
    sampler = GenNi(5, alpha=Linear(0.0, 2.0, 2), beta=beta)
    assert (sampler.alpha, sampler.beta) == (0.0, 0.5)
    sampler.set_epoch(1)
    sampler.update(2.0)
    sampler.update(1.0)
    assert [sampler.alpha, sampler.beta] == pytest.approx([1.0, 0.6])


def test_a_schedule_given_twice_has_two_values() -> None:
    schedule = LossDriven(initial=1.0, step=0.5)
    one, other = GenNi(5, alpha=schedule), GenNi(5, alpha=schedule)
    child = one.spawn(0)
    one.update(2.0)
    one.update(1.0)
    assert (one.alpha, other.alpha, child.alpha) == (1.5, 1.0, 1.0)
    assert one.spawn(1).alpha == 1.5


def test_losses_are_read_only_where_they_matter() -> None:
    class Unreadable:
        def __float__(self) -> float:
            raise AssertionError("the loss was read")

    Uniform(5).update(Unreadable())
    GenNi(5, alpha=Linear(0, 1, 3)).update(Unreadable())
    with pytest.raises(AssertionError, match="was read"):
        GenNi(5, alpha=LossDriven()).update(Unreadable())


@pytest.mark.filterwarnings("ignore:beta = 1e-09 pre-selects 1 of 100 items")
def test_beta_is_the_share_of_the_catalogue() -> None:
    """ceil(beta V), beta read as the decimal that it is written as: 0.07 of 100 is 7, not 8."""
    score = DotProduct(np.zeros((1, 2)), np.zeros((100, 2)))
    for beta, size in ((0.07, 7), (0.071, 8), (1e-9, 1), (0.99, 99), (0.999, 100)):
        sampler = GenNi(100, alpha=1.0, beta=beta, seed=2)
        law = sampler.probabilities(np.array([0]), score=score)[0]
        assert np.count_nonzero(law) in (size, size - 1)
        assert np.count_nonzero(law) + (law[0] == 0) >= size


def test_numbers_of_an_array_are_numbers() -> None:
    given = Linear(np.float32(0.5), np.int64(3), epochs=np.int64(4))  # type: ignore[arg-type]
    shares = Linear(np.float64(0.25), np.float64(0.75), epochs=4)
    sampler = GenNi(50, alpha=given, beta=shares)
    sampler.set_epoch(2)
    assert (sampler.alpha, sampler.beta, sampler.candidates.count) == (1.75, 0.5, 25)
    state = json.loads(json.dumps(sampler.state_dict()))
    GenNi(50, alpha=given, beta=shares).load_state_dict(state)
    assert Uniform(np.int64(3)).items == range(3)


def test_the_ends_of_the_range_of_floats() -> None:
    """The factor, or the way, is beyond float64, and no value is."""
    wide = Exponential(m=1, initial=1e-300, high=1e300)
    values = [wide.at_epoch(0.0, epoch) for epoch in (0, 300, 599, 600, 10**9)]
    assert values == pytest.approx([1e-300, 1.0, 1e299, 1e300, 1e300])
    least = Exponential(m=5, initial=5e-324)
    assert [least.at_epoch(0.0, epoch) for epoch in (0, 1, 1700)] == [5e-324, 1e-323, 1.0]
    line = Linear(-1e308, 1e308, 10)
    values = [line.at_epoch(0.0, epoch) for epoch in (0, 5, 9, 10)]
    assert values == pytest.approx([-1e308, 0.0, 8e307, 1e308])
    assert Linear(0.1, 0.7, 10**18).at_epoch(0.0, 10**18 - 1) <= 0.7


class Halving(Schedule):
    """A schedule of the user's, that comes to `values` one after the other."""

    bounds = (0.1, 1.0)

    def __init__(self, *values: Any) -> None:
        self.values = values

    def start(self) -> Any:
        return self.values[0]

    def at_epoch(self, value: float, epoch: int) -> Any:
        return self.values[epoch]

    def after_loss(self, value: float, previous_loss: float, loss: float) -> Any:
        return self.values[2]


def test_a_schedule_of_ones_own_may_give_numbers_of_numpy() -> None:
    schedule = Halving(np.float64(1.0), np.float32(0.5), np.float64(0.25))
    sampler = GenNi(100, alpha=schedule, beta=schedule)
    sampler.set_epoch(1)
    assert (sampler.alpha, sampler.beta, sampler.candidates.count) == (0.5, 0.5, 50)
    for loss in (1.0, 2.0):
        sampler.update(loss)
    assert repr(sampler.beta) == "0.25"
    json.dumps(sampler.state_dict())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1.5, r"beta from its schedule Halving must stay within its bounds \[0.1, 1.0\]; got 1.5"),
        (np.float64(0.01), r"must stay within its bounds \[0.1, 1.0\]; got 0.01"),
        (float("nan"), "beta from its schedule Halving must be finite; got nan"),
        ("1", "beta from its schedule Halving must be a number; got '1'"),
    ],
)
def test_a_schedule_of_ones_own_is_held_to_its_bounds(value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GenNi(100, beta=Halving(value))
    sampler = GenNi(100, beta=Halving(1.0, value, value))
    sampler.update(1.0)
    before = sampler.state_dict()
    with pytest.raises(ConfigError, match=message):
        sampler.set_epoch(1)
    with pytest.raises(ConfigError, match=message):
        sampler.update(2.0)
    assert sampler.state_dict() == before


def pickled(sampler: GenNi) -> GenNi:
    """Copy as a DataLoader does for its workers."""
    copied: GenNi = pickle.loads(pickle.dumps(sampler))  # noqa: S301
    return copied


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_copies_go_on_identically(copied: Any) -> None:
    sampler = GenNi(50, alpha=LossDriven(), beta=0.5, seed=4)
    score = DotProduct(np.ones((3, 2), np.float32), np.ones((50, 2), np.float32))
    sampler.sample([1, 2, 3], score=score)
    sampler.update(1.0)
    other = copied(sampler)
    sampler.update(0.5)
    assert other.alpha != sampler.alpha
    other.update(0.5)
    assert sampler.state_dict() == other.state_dict()
    one, two = (each.sample([1, 2, 3], score=score) for each in (sampler, other))
    np.testing.assert_array_equal(one.item_ids, two.item_ids)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Exponential(m=0), "m must be > 0, a number of epochs; got 0"),
        (lambda: Exponential(m=float("nan")), "Exponential: m must be finite; got nan"),
        (lambda: Exponential(m=1, high=float("inf")), "Exponential: high must be finite; got inf"),
        (lambda: LossDriven(step=float("inf")), "LossDriven: step must be finite; got inf"),
        (lambda: Exponential(m=1, initial=0.0), "needs 0 < initial <= high"),
        (lambda: Exponential(m=1, initial=2.0), "needs 0 < initial <= high"),
        (lambda: Linear(0, 1, 0), "Linear: epochs must be an integer >= 1; got 0"),
        (lambda: Linear(0, 1, 1.5), r"Linear: epochs must be an integer >= 1; got 1\.5"),  # type: ignore[arg-type]
        (lambda: Linear(0, float("nan"), 3), "final must be finite; got nan"),
        (lambda: LossDriven(initial=7.0), "needs low <= initial <= high"),
        (lambda: Linear(0, 10**400, 3), "final must be finite; got a number of over 308 digits"),
        (lambda: Linear(np.True_, 1, 3), "initial must be a number; got np.True_"),  # type: ignore[arg-type]
        (lambda: LossDriven(step=-1), "step must be >= 0; got -1"),
        (lambda: LossDriven(initial="1"), "initial must be a number; got '1'"),  # type: ignore[arg-type]
    ],
)
def test_wrong_schedules(build: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build()


def test_an_alpha_that_falls_to_0_warns_once_of_scores_that_exclude() -> None:
    def of_one_category(ids: Any) -> Any:
        return np.where(np.arange(50)[ids] < 25, 0.0, -np.inf)[None].repeat(3, axis=0)

    sampler = GenNi(50, alpha=Linear(1.0, 0.0, 1))
    sampler.sample([1, 2, 3], score=of_one_category)
    sampler.set_epoch(1)
    with pytest.warns(NegSampWarning, match="alpha is 0 .* score is -inf may be drawn"):
        sampler.sample([1, 2, 3], score=of_one_category)
    with warnings.catch_warnings(action="error"):
        sampler.sample([1, 2, 3], score=of_one_category)
        for alpha in (0, Linear(0.0, 1.0, 1), LossDriven(initial=0.0)):  # as asked for
            GenNi(50, alpha=alpha).sample([1, 2, 3], score=of_one_category)
