"""Bad input: its own message, before any work, and nothing lost."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest

from negsamp import (
    ConfigError,
    DotProduct,
    Exponential,
    GenNi,
    Interactions,
    InvalidInputError,
    InvalidScoresError,
    Linear,
    LossDriven,
    NegSampError,
    NegSampWarning,
    NoNegativesError,
    Popularity,
    Sampler,
    Uniform,
    from_config,
)
from negsamp.backend import load_backend
from tests.samplers.conftest import Adapter

ITEMS = range(1, 11)
TARGETS = np.array([[1, 2, 3], [4, 5, 6]])
RANDOM = np.random.default_rng(0)
QUERIES = RANDOM.normal(size=(2, 3, 4)).astype(np.float32)
EMBEDDINGS = RANDOM.normal(size=(11, 4)).astype(np.float32)
SEEN = Interactions.from_sequences([[1, 2], [3]])


def dot_product(queries: Any = QUERIES, items: Any = EMBEDDINGS) -> DotProduct:
    return DotProduct(queries, items)


def scores(value: float, place: int = 0) -> Callable[[Any], Any]:
    """Score everything 0 but one item of row 4."""

    def score(ids: Any) -> Any:
        result = np.zeros((6, len(ids)), np.float32)
        result[4, ids == ITEMS[place]] = value
        return result

    return score


WRONG_CONSTRUCTORS: list[tuple[Callable[[], object], str]] = [
    (lambda: GenNi(0), r"the catalogue is empty: items = range\(0, 0\)"),
    (lambda: Uniform(range(5, 5)), r"the catalogue is empty: items = range\(5, 5\)"),
    (lambda: Uniform(range(0, 10, 2)), "items must be a range of step 1; got"),
    (lambda: Uniform(range(-1, 3)), r"ids must be in \[0, 2\*\*31 - 1\); got"),
    (lambda: Uniform(2**31), r"ids must be in \[0, 2\*\*31 - 1\); got"),
    (lambda: Uniform(2**64), r"ids must be in \[0, 2\*\*31 - 1\); got"),
    (lambda: Uniform([3, 7]), r"items .* must be without gaps; got a list: .* np\.unique\(ids, "),  # type: ignore[arg-type]
    (lambda: Uniform(np.arange(5)), "items .* must be without gaps; got a ndarray: number the"),
    (lambda: Uniform("9"), "items .* must be an integer >= 0; got '9'"),  # type: ignore[arg-type]
    (lambda: Uniform(2.0), r"items .* must be an integer >= 0; got 2\.0"),  # type: ignore[arg-type]
    (lambda: Uniform(5, 0), "num_negatives must be an integer >= 1; got 0"),
    (lambda: Uniform(5, True), "num_negatives must be an integer >= 1; got True"),
    (lambda: Uniform(5, replacement=1), "replacement must be True or False; got 1"),  # type: ignore[arg-type]
    (lambda: Uniform(5, seed=-1), r"seed must be an integer in \[0, 18446744073709551615\]; got"),
    (lambda: Uniform(5, backend="trch"), "unknown backend 'trch'; known: auto, .*mean 'torch'"),
    (lambda: Uniform(5, backend="cuda:0"), "'cuda:0'; known: auto, .*; the device is that of the"),
    (lambda: GenNi(5, alpha=math.nan), "alpha must be finite; got nan"),
    (lambda: GenNi(5, alpha=-0.5), r"alpha must stay in \[0, 1e\+38\]; got -0.5"),
    (lambda: GenNi(5, alpha=1e39), r"alpha must stay in \[0, 1e\+38\]; got 1e\+39"),
    (lambda: GenNi(5, alpha=Linear(0, 1e39, 3)), r"alpha must stay in \[0, 1e\+38\]; got Linear"),
    (lambda: GenNi(5, alpha="2"), "alpha must be a number or a schedule; got '2'"),  # type: ignore[arg-type]
    (lambda: GenNi(5, beta=0), r"beta must stay in \(0, 1\]; got 0"),
    (lambda: GenNi(5, beta=1.5), r"beta must stay in \(0, 1\]; got 1.5"),
    (lambda: GenNi(5, beta=LossDriven()), r"beta must stay in \(0, 1\]; got LossDriven\("),
    (lambda: GenNi(5, candidates="all"), "candidates must be 'batch' or 'query'; got 'all'"),  # type: ignore[arg-type]
    (lambda: Popularity([0, 0]), "all counts of the catalogue are 0"),
    (lambda: Popularity([1, -2]), r"counts must be finite and >= 0; got counts\[1\] = -2"),
    (lambda: Popularity([1, math.nan]), r"counts must be finite and >= 0; got counts\[1\] = nan"),
    (lambda: Popularity([[1]]), r"shape \(num_counts,\); got shape \(1, 1\)"),
    (lambda: Popularity([[1, 2, 3]]), r"got shape \(1, 3\); flatten it with np\.ravel"),
    (lambda: Popularity({1: 2}), r"got a dict: count with np\.bincount"),  # type: ignore[arg-type]
    (lambda: Popularity([1, 1], items=5), r"2 counts do not cover range\(0, 5\).*at least 5"),
    (lambda: Popularity([1, 1], gamma=math.inf), "gamma must be finite; got inf"),
    (lambda: Popularity([1, 9], gamma=1e308), r"counts \*\* gamma overflows float64; got"),
    (lambda: Popularity([1, 10**400]), "counts must be numbers, one per item id: "),
    (
        lambda: Uniform(2, interactions=SEEN),
        r"interactions contain item 3, .* range\(0, 2\)",
    ),
    (lambda: Uniform(5, interactions=[[1]]), "interactions must be an Interactions; got list"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("build", "message"), WRONG_CONSTRUCTORS)
def test_constructors_refuse(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build()


WRONG_CALLS: list[tuple[Callable[[], Sampler], dict[str, Any], type[NegSampError], str]] = [
    (lambda: GenNi(ITEMS), {"score": None}, InvalidInputError, "GenNi needs score="),
    (lambda: GenNi(ITEMS), {"score": 3}, InvalidInputError, "DotProduct or a callable.*got int$"),
    (
        lambda: GenNi(ITEMS),
        {"score": np.ones((6, 11))},
        InvalidInputError,
        r"got \w+; of a matrix, pass a callable that returns the columns of the ids",
    ),
    (
        lambda: GenNi(ITEMS),
        {"score": dot_product(QUERIES[0])},
        InvalidInputError,
        r"queries have shape \(3, 4\); .* here \(2, 3\) \+ \(dim,\)$",
    ),
    (
        lambda: GenNi(ITEMS),
        {"score": dot_product(QUERIES[:, 0])},
        InvalidInputError,
        r"queries have shape \(2, 4\); .* \(dim,\); repeat a query that several targets share",
    ),
    (
        lambda: GenNi(ITEMS),
        {"score": dot_product(items=EMBEDDINGS[:, :3])},
        InvalidInputError,
        r"item embeddings have shape \(11, 3\); they must be \(num_embeddings, 4\)",
    ),
    (
        lambda: GenNi(ITEMS),
        {"score": DotProduct(np.zeros((2, 3, 0)), np.zeros((11, 0)))},
        InvalidInputError,
        r"queries have shape \(2, 3, 0\): their last axis must not be empty",
    ),
    (
        lambda: GenNi(ITEMS),
        {"score": dot_product(items=EMBEDDINGS[:10])},
        InvalidInputError,
        "10 item embeddings do not cover .* at least 11 rows",
    ),
    (
        lambda: GenNi(ITEMS),
        {"score": dot_product(items=EMBEDDINGS.astype(np.int64))},
        InvalidInputError,
        "item embeddings must be floating-point numbers .* got dtype .*int64",
    ),
    (
        lambda: GenNi(ITEMS),
        {"score": lambda ids: np.zeros((2, len(ids)))},
        InvalidInputError,
        r"callable returned shape \(2, 10\) for 10 item ids; .* \(6, 10\)$",
    ),
    (
        lambda: GenNi(ITEMS),
        {"score": lambda ids: np.zeros((2, 3, len(ids)))},
        InvalidInputError,
        r"callable returned shape \(2, 3, 10\) .*; reshape it to \(-1, number of ids\)",
    ),
    (
        lambda: GenNi(ITEMS),
        {"score": lambda ids: np.zeros((6, len(ids)), np.complex64)},
        InvalidInputError,
        "callable returned dtype .*complex64.*; scores must be floating-point .*, or integers",
    ),
    (
        lambda: GenNi(ITEMS, beta=0.5, candidates="query"),
        {"score": scores(0.0)},
        InvalidInputError,
        'candidates="query" with beta < 1 needs a DotProduct',
    ),
    (
        lambda: GenNi(ITEMS),
        {"score": scores(math.nan)},
        InvalidScoresError,
        r"row \(1, 1\) has a score that is NaN or \+inf",
    ),
    (
        lambda: GenNi(ITEMS),
        {"score": scores(math.inf)},
        InvalidScoresError,
        r"row \(1, 1\) has a score that is NaN or \+inf",
    ),
    (
        lambda: GenNi(ITEMS),
        {"score": lambda ids: np.full((6, len(ids)), -np.inf)},
        NoNegativesError,
        r"row \(0, 0\) has no item left to draw: .*-inf",
    ),
    (
        lambda: Uniform(ITEMS),
        {"targets": TARGETS * 1.0},
        InvalidInputError,
        "targets must be integers .* got dtype .*float64",
    ),
    (
        lambda: Uniform(ITEMS),
        {"targets": TARGETS * 3},
        InvalidInputError,
        r"targets\[1, 0\] = 12 is outside the catalogue range\(1, 11\)",
    ),
    (
        lambda: Uniform(ITEMS),
        {"targets": TARGETS - 1},
        InvalidInputError,
        r"targets\[0, 0\] = 0 is outside .*; if it is padding, leave it out by mask=targets != 0",
    ),
    (
        lambda: Uniform(ITEMS),
        {"mask": TARGETS},
        InvalidInputError,
        "mask must be booleans .* got dtype .*int64",
    ),
    (
        lambda: Uniform(ITEMS),
        {"mask": TARGETS[0] > 0},
        InvalidInputError,
        r"mask has shape \(3,\); .* \(2, 3\)",
    ),
    (
        lambda: Uniform(ITEMS),
        {"exclude": TARGETS},
        InvalidInputError,
        r"exclude has shape \(2, 3\); .* \(2, 3\) \+ \(num_excluded,\)$",
    ),
    (
        lambda: Uniform(ITEMS),
        {"exclude": np.array([3, 4])},
        InvalidInputError,
        r"exclude has shape \(2,\); .*; repeat a list that is the same for all rows",
    ),
    (
        lambda: Uniform(ITEMS),
        {"exclude": [[[3], [4, 5], []]] * 2},
        InvalidInputError,
        "exclude: cannot make an array of a list: .*; pad lists of different lengths with -1",
    ),
    (
        lambda: Uniform(ITEMS),
        {"exclude": np.full((2, 3, 1), 99)},
        InvalidInputError,
        r"exclude\[0, 0, 0\] = 99 is outside .*\(-1 stands for none\)",
    ),
    (
        lambda: Uniform(ITEMS, interactions=SEEN),
        {},
        InvalidInputError,
        "given interactions: sample\\(\\) needs users=",
    ),
    (
        lambda: Uniform(ITEMS, interactions=SEEN),
        {"users": np.array([0, 2])},
        InvalidInputError,
        r"users\[1\] = 2 is unknown: .* users 0 to 1",
    ),
    (
        lambda: Uniform(ITEMS, interactions=Interactions.from_pairs([], [])),
        {"users": np.array([0, 1])},
        InvalidInputError,
        r"users\[0\] = 0 is unknown: the interactions have no users",
    ),
    (
        lambda: Uniform(ITEMS, interactions=SEEN),
        {"users": np.array([0, 0, 1])},
        InvalidInputError,
        r"users has shape \(3,\); .* \(2, 3\).* such as \(2,\)",
    ),
    (
        lambda: Uniform(ITEMS),
        {"exclude": np.broadcast_to(np.arange(1, 11), (2, 3, 10))},
        NoNegativesError,
        r"row \(0, 0\) has no admissible item: .* all 10 candidates; exclude less, or mask the row",
    ),
    (
        lambda: GenNi(ITEMS, beta=0.5),
        {"exclude": np.broadcast_to(np.arange(1, 11), (2, 3, 10)), "score": dot_product()},
        NoNegativesError,
        r"row \(0, 0\) has no admissible item: .* all 5 candidates; exclude less, raise beta, or",
    ),
    (
        lambda: GenNi(ITEMS),
        {"exclude": np.broadcast_to(np.arange(1, 11), (2, 3, 10)), "score": dot_product()},
        NoNegativesError,
        r"row \(0, 0\) has no admissible item: .* all 10 candidates; exclude less, or mask the row",
    ),
    (
        lambda: Uniform(ITEMS, 10, replacement=False),
        {},
        NoNegativesError,
        r"row \(0, 0\) has 9 admissible items, fewer than num_negatives = 10",
    ),
    (
        lambda: Popularity([0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], items=ITEMS),
        {},
        NoNegativesError,
        r"row \(0, 0\) has no item left to draw: .* count 0",
    ),
    (
        lambda: Popularity(
            [0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], items=ITEMS, num_negatives=3, replacement=False
        ),
        {},
        NoNegativesError,
        r"row \(0, 0\) has no item left to draw after 2 distinct draws",
    ),
]


def in_framework(value: Any, backend: Adapter) -> Any:
    """Turn arrays into the framework's, also those inside scores."""
    if isinstance(value, np.ndarray):
        return backend.array(np.ascontiguousarray(value))
    if isinstance(value, DotProduct):
        return DotProduct(backend.array(value.queries), backend.array(value.items))
    if callable(value):
        return lambda ids: backend.array(value(backend.numpy(ids)))
    return value


@pytest.mark.parametrize(("build", "changes", "error", "message"), WRONG_CALLS)
def test_calls_refuse_and_are_not_counted(
    backend: Adapter,
    build: Callable[[], Sampler],
    changes: dict[str, Any],
    error: type[NegSampError],
    message: str,
) -> None:
    sampler = build()
    arguments = {"targets": TARGETS, "score": dot_product()} | changes
    state = json.dumps(sampler.state_dict())
    with pytest.raises(error, match=message):
        sampler.sample(**{name: in_framework(value, backend) for name, value in arguments.items()})
    assert json.dumps(sampler.state_dict()) == state


@pytest.mark.parametrize("others", [0.0, -math.inf])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("item", [1, 5, 10])
def test_a_bad_score_is_refused_though_it_is_drawn_and_leaves_its_block(
    backend: Adapter, item: int, bad: float, others: float
) -> None:
    scores = np.full((2, 10), others, np.float32)
    scores[0], scores[1, item - 1] = 0, bad

    def score(item_ids: Any) -> Any:
        return backend.array(scores[:, backend.numpy(item_ids) - 1])

    sampler = GenNi(range(1, 11), 2, replacement=False, backend=backend.name)
    with pytest.raises(InvalidScoresError, match=r"^row 1 has a score that is NaN"):
        sampler.sample(backend.array(np.array([7, 7])), score=score)


@pytest.mark.parametrize("replacement", [True, False])
@pytest.mark.parametrize("changed", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_when_asked_for_again_is_refused(
    backend: Adapter, changed: float, replacement: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last block is not full: a draw from it without a score would be outside the catalogue."""
    monkeypatch.setattr(load_backend(backend.name), "scores_per_tile", 1)
    asked: list[Any] = []

    def score(item_ids: Any) -> Any:
        ids = backend.numpy(item_ids)
        scores = np.full((2, len(ids)), changed if any(130 in each for each in asked) else 0.0)
        scores[:, ids < 128] = -100.0  # all is drawn from the second block
        scores[:, ids == 129] = 0.0
        asked.append(ids)
        return backend.array(scores)

    sampler = GenNi(131, 2, replacement=replacement, backend=backend.name)
    with pytest.raises(InvalidScoresError, match=r"^row 0 has a score that (was finite|is NaN)"):
        sampler.sample(backend.array(np.array([129, 129])), score=score)
    assert len(asked) > 2


@pytest.mark.parametrize(("shape", "name"), [((4,), "row 3"), ((2, 2), r"row \(1, 1\)")])
def test_a_row_has_the_name_of_its_place(
    backend: Adapter, shape: tuple[int, ...], name: str
) -> None:
    targets, queries = np.ones(shape, np.int64), np.ones((4, 2))
    queries[3] = math.nan
    given = (backend.array(queries.reshape(*shape, 2)), backend.array(np.ones((11, 2))))
    with pytest.raises(InvalidScoresError, match=f"^{name} has a score that is NaN"):
        GenNi(ITEMS, backend=backend.name).sample(backend.array(targets), score=DotProduct(*given))
    exclude = np.full((4, 10), -1)
    exclude[3] = np.arange(1, 11)
    hidden = backend.array(exclude.reshape(*shape, 10))
    with pytest.raises(NoNegativesError, match=f"^{name} has no admissible item"):
        Uniform(ITEMS, backend=backend.name).sample(backend.array(targets), exclude=hidden)


def test_a_tensor_is_not_told_to_be_padded() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    with pytest.raises(InvalidInputError, match=r"exclude: backend 'numpy' .* the array$"):
        Uniform(ITEMS, backend="numpy").sample(TARGETS, exclude=torch.full((2, 3, 1), -1))


def test_what_is_one_is_named_in_the_singular() -> None:
    exclude = np.arange(1, 10)[None]
    with pytest.raises(NoNegativesError, match="row 0 has 1 admissible item, fewer"):
        Uniform(ITEMS, 2, replacement=False).sample(np.array([1]), exclude=exclude)
    with pytest.raises(NoNegativesError, match=r"^the row has .* cover its one candidate; exclude"):
        Uniform(1).sample(np.array(0))


def test_a_callable_that_returns_nothing_is_refused(backend: Adapter) -> None:
    message = r"callable returned a NoneType for 10 item ids; .* shape .* \(6, 10\)"
    with pytest.raises(InvalidInputError, match=message):
        GenNi(ITEMS).sample(backend.array(TARGETS), score=lambda _: None)


def test_the_exact_law_refuses_what_a_draw_refuses(backend: Adapter) -> None:
    score = in_framework(lambda ids: np.zeros((2, len(ids)), np.float32), backend)
    with pytest.raises(InvalidInputError, match=r"callable returned shape \(2, 10\)"):
        GenNi(ITEMS).probabilities(backend.array(TARGETS), score=score)
    score = in_framework(scores(0.0), backend)
    with pytest.raises(InvalidInputError, match='candidates="query" with beta < 1 needs'):
        GenNi(ITEMS, beta=0.5, candidates="query").probabilities(
            backend.array(TARGETS), score=score
        )


def test_the_exact_law_is_that_of_one_draw(backend: Adapter) -> None:
    """Also where a draw without replacement finds too few."""
    sampler, targets = Uniform(ITEMS, 10, replacement=False), backend.array(TARGETS)
    with pytest.raises(NoNegativesError, match="9 admissible items, fewer than num_negatives"):
        sampler.sample(targets)
    law = backend.numpy(sampler.probabilities(targets))
    np.testing.assert_allclose(law.sum(axis=-1), 1.0)


def test_the_lowest_float_is_a_mask_as_good_as_minus_infinity(backend: Adapter) -> None:
    score = in_framework(scores(float(np.finfo(np.float32).min), place=2), backend)
    with np.errstate(over="ignore" if backend.fused else "raise"):
        negatives = GenNi(ITEMS, 50, alpha=2.5).sample(backend.array(TARGETS), score=score)
    assert 3 not in backend.numpy(negatives.item_ids)[1, 1]


def test_a_dot_product_stays_one() -> None:
    with pytest.raises(TypeError, match=r"Biased cannot derive from DotProduct: .* a callable"):

        class Biased(DotProduct):  # type: ignore[misc]
            """Backends would multiply its arrays and never ask it."""


def test_a_score_of_one_backend_alone_is_not_given_to_another() -> None:
    class Model:
        """Has a backend of its own, as models may."""

        backend, collective = "torch", True

        def __call__(self, ids: Any) -> Any:
            return np.zeros((6, len(ids)))

        def abort(self, error: Exception, targets: Any) -> None:
            """No other process waits."""

    score = Model()
    message = "needs backend 'torch'; this sampler has backend='numpy'"
    with pytest.raises(ConfigError, match=message):
        GenNi(ITEMS, backend="numpy").sample(TARGETS, score=score)
    Uniform(ITEMS, backend="numpy").sample(TARGETS, score=score)  # which looks at no score
    score.backend, score.collective = "flash", False
    GenNi(ITEMS, backend="numpy").sample(TARGETS, score=score)
    GenNi(ITEMS).sample(TARGETS, score=score)


def test_one_is_warned_where_a_row_may_well_have_nothing_to_draw() -> None:
    """One candidate of ten is a row's target, or one of its user's two, 3 times in 10."""
    config = {"sampler": "genni", "beta": 0.1}
    builds: list[Callable[[], object]] = [
        lambda: GenNi(ITEMS, beta=0.1, interactions=SEEN),
        lambda: from_config(config, items=ITEMS, interactions=SEEN),
    ]
    for build in builds:
        with pytest.warns(NegSampWarning) as said:
            build()
        assert said[0].filename == __file__
        assert str(said[0].message) == (
            "beta = 0.1 pre-selects 1 of 10 items for all rows of a call; a row that excludes it "
            "has nothing left to draw, which fails the whole call (probability 0.3 for a row with "
            "3 excluded items, its target included; up to 100% of calls with 10,000 rows). "
            "Pre-select at least 4, as with beta = 0.4"
        )
    with pytest.warns(
        NegSampWarning, match=r"2 of 10 items for each row; .* all of them .* 0\.07 "
    ):
        GenNi(ITEMS, beta=0.2, interactions=SEEN, candidates="query")
    with pytest.warns(NegSampWarning, match=r"leave fewer than 4 .* 0\.4 .* 1 excluded item, its"):
        GenNi(ITEMS, 4, beta=0.4, replacement=False, interactions=None)
    seen = Interactions.from_sequences([range(9), range(4)])
    message = r"1 of 1,000 items .* at least 11, as with a beta that starts at 0\.011$"
    with pytest.warns(NegSampWarning, match=message):
        GenNi(1000, beta=Exponential(m=40), interactions=seen)
    GenNi(1000, beta=Exponential(m=40, initial=0.011), interactions=seen)
    GenNi(ITEMS, beta=0.4, interactions=SEEN)  # four candidates, of which three are excluded
    GenNi(12_101, beta=0.001)  # thirteen candidates and one target
    GenNi(ITEMS, alpha=0.0, beta=0.1, interactions=SEEN)  # looks at no subset
    with pytest.warns(UserWarning, match=r"beta = 0\.1 pre-selects 1 of 10 items"):
        exec("GenNi(10, beta=0.1)", {"GenNi": GenNi})  # noqa: S102  (code without a module)


@pytest.mark.filterwarnings("ignore:alpha is 0 and no score is read")
@pytest.mark.parametrize("alpha", [1e-46, 1e-40, 3e-37, Exponential(m=1, initial=1e-39)])
def test_an_alpha_below_the_least_is_0(backend: Adapter, alpha: Any) -> None:
    score = in_framework(scores(-math.inf), backend)
    found = GenNi(ITEMS, 9, alpha=alpha).sample(backend.array(TARGETS), score=score)
    uniform = Uniform(ITEMS, 9).sample(backend.array(TARGETS))
    for mine, its in zip(found, uniform, strict=True):
        np.testing.assert_array_equal(backend.numpy(mine), backend.numpy(its))


@pytest.mark.parametrize("alpha", [1.2e-38, 2.0**-121, 4e-37, 1e-35])
def test_scores_may_differ_by_more_than_float32_holds(backend: Adapter, alpha: float) -> None:
    """One item has a score close to float32's maximum, the others the opposite."""

    def score(ids: Any) -> Any:
        return np.where(ids == 7, 1.75e38, -1.75e38)[None, :].astype(np.float32)

    target, hidden = backend.array([3]), in_framework(score, backend)
    sampler = GenNi(ITEMS, 500, alpha=alpha)
    law = backend.numpy(sampler.probabilities(target, score=hidden))[0]
    drawn, log_q = (backend.numpy(each)[0] for each in sampler.sample(target, score=hidden))
    assert set(drawn) == {item for item, q in zip(ITEMS, law, strict=True) if q > 1e-3}
    np.testing.assert_allclose(log_q, np.log(law[drawn - ITEMS.start]), rtol=1e-5, atol=1e-30)


def test_the_largest_alpha_is_no_matter_where_scores_are_0(backend: Adapter) -> None:
    score = in_framework(dot_product(0 * QUERIES), backend)
    negatives = GenNi(ITEMS, 3, alpha=1e38).sample(backend.array(TARGETS), score=score)
    np.testing.assert_allclose(backend.numpy(negatives.log_q), -math.log(9), rtol=1e-5)


def test_ids_beyond_int64_are_told_as_they_were_given(backend: Adapter) -> None:
    far, near = np.array([1, 2**63 + 5], np.uint64), np.array([1, 2], np.uint64)
    farthest = np.array([3, 2**64 - 1], np.uint64)  # the bits of -1
    sampler = Uniform(ITEMS, interactions=SEEN)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"targets": far}, r"targets\[1\] = 9223372036854775813 is outside the catalogue"),
        ({"exclude": far[:, None]}, r"exclude\[1, 0\] = 9223372036854775813 is outside"),
        ({"exclude": farthest[:, None]}, r"exclude\[1, 0\] = 18446744073709551615 is outside"),
        ({"users": far}, r"users\[1\] = 9223372036854775813 is unknown"),
    ]
    for changes, message in wrong:
        arguments = {"targets": near, "users": near - near} | changes
        given = {name: backend.array(each) for name, each in arguments.items()}
        for call in (sampler.sample, sampler.probabilities):
            with pytest.raises(InvalidInputError, match=message):
                call(**given)


def test_the_order_of_bytes_is_no_matter(backend: Adapter) -> None:
    """Of NumPy arrays, which every backend takes."""

    def draw(integers: str, floats: str) -> list[Any]:
        targets = TARGETS.reshape(-1).astype(integers)
        queries, table = QUERIES.reshape(6, 4).astype(floats), EMBEDDINGS.astype(floats)
        product = dot_product(queries, table)
        answers: list[Any] = [product, lambda ids: product(np.asarray(ids)).astype(floats)]
        arguments = {"users": targets % 2, "exclude": targets[:, None] % 3 + 1}
        sampler = GenNi(ITEMS, 5, interactions=SEEN, backend=backend.name)
        return [sampler.sample(targets, score=each, **arguments).item_ids for each in answers]

    for mine, its in zip(draw(">i8", ">f4"), draw("<i8", "<f4"), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_a_callable_may_answer_in_integers(backend: Adapter) -> None:
    def score(dtype: Any) -> Any:
        return in_framework(lambda ids: np.tile(ids % 3, (6, 1)).astype(dtype), backend)

    found, expected = (
        GenNi(ITEMS, 5).sample(backend.array(TARGETS), score=score(dtype)).item_ids
        for dtype in (np.int32, np.float32)
    )
    np.testing.assert_array_equal(backend.numpy(found), backend.numpy(expected))


@pytest.mark.parametrize("called", [False, True])
def test_what_is_beyond_float32_is_read_as_infinite(backend: Adapter, called: bool) -> None:
    """By draws and by the exact law, without a warning."""

    def score(value: float, place: int) -> Any:
        table = np.zeros((11, 4))
        table[ITEMS[place], 0] = value
        product = dot_product(np.ones((2, 3, 4)), table)
        return in_framework(product.__call__ if called else product, backend)

    targets, sampler = backend.array(TARGETS[:, :1] + [0, 0, 0]), GenNi(ITEMS, 50)
    quiet = np.errstate(all="ignore")  # Triton's interpreter computes in NumPy
    with quiet if backend.fused else np.errstate(all="raise"):
        for value, place in ((1e39, 0), (-1e39, 7)):
            hidden = score(value, place)
            mask = backend.array(TARGETS < 4)
            drawn = backend.numpy(sampler.sample(targets, score=hidden, mask=mask).item_ids)
            law = backend.numpy(sampler.probabilities(targets, score=hidden, mask=mask))
            assert ITEMS[place] not in drawn[0]
            np.testing.assert_allclose(law[0].sum(axis=-1), 1.0)
            assert not law[0, :, place].any()
        for draw in (sampler.sample, sampler.probabilities):
            with pytest.raises(InvalidScoresError, match=r"^row \(0, 0\) has a score that is NaN"):
                draw(targets, score=score(1e39, 7))


@pytest.mark.parametrize("beta", [1.0, 0.5])
@pytest.mark.parametrize("candidates", ["batch", "query"])
def test_scores_that_overflow_are_refused_without_a_warning(
    backend: Adapter, beta: float, candidates: Literal["batch", "query"]
) -> None:
    sampler = GenNi(ITEMS, beta=beta, candidates=candidates)
    score = in_framework(dot_product(QUERIES * 1e30, EMBEDDINGS * 1e30), backend)
    quiet = np.errstate(all="ignore")  # Triton's interpreter computes in NumPy
    with (
        quiet if backend.fused else np.errstate(all="raise"),
        pytest.raises(InvalidScoresError, match="NaN or "),
    ):
        sampler.sample(backend.array(TARGETS), score=score)


def test_masked_rows_may_hold_anything(backend: Adapter) -> None:
    mask = np.array([[True, True, True], [True, False, True]])
    targets, users = TARGETS.copy(), np.zeros((2, 3), np.int64)
    exclude, queries = np.full((2, 3, 1), -1), QUERIES.copy()
    sampler = GenNi(ITEMS, interactions=SEEN)
    clean: dict[str, Any] = {"targets": targets, "users": users, "exclude": exclude, "mask": mask}
    clean["score"] = dot_product()
    expected = sampler.sample(**{k: in_framework(v, backend) for k, v in clean.items()})
    targets, users, exclude = targets.copy(), users.copy(), exclude.copy()
    targets[1, 1], users[1, 1], exclude[1, 1, 0], queries[1, 1] = 999, -5, 77, math.nan
    dirty: dict[str, Any] = {"targets": targets, "users": users, "exclude": exclude, "mask": mask}
    dirty["score"] = dot_product(queries)
    again = GenNi(ITEMS, interactions=SEEN)
    found = again.sample(**{k: in_framework(v, backend) for k, v in dirty.items()})
    np.testing.assert_array_equal(backend.numpy(expected.item_ids), backend.numpy(found.item_ids))


def test_lists_may_be_empty(backend: Adapter) -> None:
    """Which frameworks make floats of."""
    sampler = Uniform(ITEMS, 3, interactions=SEEN, backend=backend.name)
    negatives = sampler.sample([], users=[], mask=[], exclude=np.empty((0, 2)))
    assert negatives.item_ids.shape == (0, 3)
    targets, users = [4, 5], [0, 1]
    expected = Uniform(ITEMS, 3, interactions=SEEN, backend=backend.name)
    expected.sample([], users=[])
    np.testing.assert_array_equal(
        sampler.sample(targets, users=users, exclude=[[], []]).item_ids,
        expected.sample(targets, users=users).item_ids,
    )


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_scores_of_excluded_items_are_not_looked_at(backend: Adapter, value: float) -> None:
    """The bad score belongs to item 5, the target of its row."""
    sampler = GenNi(ITEMS)
    score = in_framework(scores(value, place=4), backend)
    negatives = sampler.sample(backend.array(TARGETS), score=score)
    assert 5 not in backend.numpy(negatives.item_ids)[1, 1]
    law = backend.numpy(sampler.probabilities(backend.array(TARGETS), score=score))
    assert law[1, 1].sum() == pytest.approx(1.0)


@pytest.mark.parametrize("loss", [math.nan, math.inf, "x", "0.5", True, None, [1.0, 2.0]])
def test_a_loss_is_one_finite_number(loss: Any) -> None:
    with pytest.raises(InvalidInputError, match="loss must be"):
        GenNi(ITEMS, alpha=LossDriven()).update(loss)


@pytest.mark.parametrize("index", [-1, 2**64, 0.5])
def test_spawn_takes_an_index(index: Any) -> None:
    with pytest.raises(ConfigError, match="index must be an integer in"):
        Uniform(ITEMS).spawn(index)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "no key 'sampler'; allowed: genni, popularity, uniform"),
        ({"sampler": ["genni"], "items": 5}, r"unknown sampler \['genni'\]; allowed: genni"),
        ({"sampler": "geni", "items": 5}, "unknown sampler 'geni'; .*did you mean 'genni'"),
        ({"sampler": "uniform"}, "sampler 'uniform' needs the key 'items'"),
        ({"sampler": "genni", "items": 5, "alhpa": 1}, "unknown key 'alhpa'.*mean 'alpha'"),
        ({"sampler": "uniform", "items": [1]}, r"items must be \[start, stop\].*got \[1\]"),
        ({"sampler": "genni", "items": 5, "alpha": {"initial": 1}}, "alpha has no key 'schedule'"),
        (
            {"sampler": "genni", "items": 5, "beta": {"schedule": "exponental"}},
            "unknown schedule 'exponental'; .*did you mean 'exponential'",
        ),
        (
            {"sampler": "genni", "items": 5, "beta": {"schedule": "exponential", "n": 1}},
            "unknown key 'n' for beta's schedule 'exponential'",
        ),
    ],
)
def test_configurations_refuse(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_config(config)
