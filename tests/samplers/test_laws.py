"""Draws follow their laws, and samplers that are broken on purpose do not pass the same checks.

G tests run at level 1e-6 with fixed seeds. With 60,000 draws over 12 cells a test sees, with
probability .999, a total variation of about 0.02 from the law: half the mass of one item in 25.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from negsamp import DotProduct, GenNi, Interactions, Popularity, Sampler, Uniform
from negsamp.stream import CANDIDATES, Stream
from negsamp_numpy import by_score, by_weight
from negsamp_numpy.rows import Excluded
from tests.samplers.conftest import Adapter

LEVEL = 1e-6
NUM_ROWS = 60_000
NUM_ITEMS = 12
ITEMS = range(1, NUM_ITEMS + 1)
COUNTS = np.array([9, 5, 0, 1, 1, 2, 3, 5, 8, 1, 2, 4, 7])
RANDOM = np.random.default_rng(17)
QUERY, EMBEDDINGS = RANDOM.normal(size=4), RANDOM.normal(size=(NUM_ITEMS + 1, 4))
SCORES = (EMBEDDINGS @ QUERY)[1:]
TARGET, SEEN, EXTRA = 5, (3, 9), 12


def g_test(counts: npt.NDArray[Any], law: npt.NDArray[np.float64]) -> None:
    """Fail if counts do not follow the law; cells of expectation below 5 are pooled."""
    assert counts[law == 0].sum() == 0, "an impossible outcome was drawn"
    counts, law = counts[law > 0], law[law > 0]
    expected = law * counts.sum()
    rare = expected < 5
    if rare.any():
        counts = np.append(counts[~rare], counts[rare].sum())
        expected = np.append(expected[~rare], expected[rare].sum())
    p = stats.power_divergence(counts, expected, lambda_="log-likelihood").pvalue
    assert p > LEVEL, f"p = {p:.2g}"


def law_of(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Normalise over what the rows of these tests may draw."""
    weights = weights.copy()
    weights[[TARGET - 1, *(item - 1 for item in SEEN), EXTRA - 1]] = 0.0
    law: npt.NDArray[np.float64] = weights / weights.sum()
    return law


LAWS: dict[str, tuple[Callable[..., Sampler], npt.NDArray[np.float64]]] = {
    "uniform": (lambda **a: Uniform(ITEMS, **a), law_of(np.ones(NUM_ITEMS))),
    "popularity": (
        lambda **a: Popularity(COUNTS, 0.75, ITEMS, **a),
        law_of(COUNTS[1:] ** 0.75 * (COUNTS[1:] > 0)),
    ),
    "genni alpha 0.5": (lambda **a: GenNi(ITEMS, alpha=0.5, **a), law_of(np.exp(0.5 * SCORES))),
    "genni alpha 2": (lambda **a: GenNi(ITEMS, alpha=2.0, **a), law_of(np.exp(2.0 * SCORES))),
}


def draw(build: Callable[..., Sampler], backend: Adapter, **arguments: Any) -> npt.NDArray[Any]:
    """Draw for many equal rows of a user who has seen two items; (rows, negatives)."""
    sampler = build(interactions=Interactions.from_sequences([SEEN]), seed=23, **arguments)
    negatives = sampler.sample(
        backend.array(np.full(NUM_ROWS, TARGET)),
        score=DotProduct(
            backend.array(np.tile(QUERY.astype(np.float32), (NUM_ROWS, 1))),
            backend.array(EMBEDDINGS.astype(np.float32)),
        ),
        users=backend.array(np.zeros(NUM_ROWS, np.int64)),
        exclude=backend.array(np.full((NUM_ROWS, 1), EXTRA)),
    )
    return backend.numpy(negatives.item_ids)


def check_law(item_ids: npt.NDArray[Any], law: npt.NDArray[np.float64]) -> None:
    """Check one draw a row."""
    g_test(np.bincount(item_ids, minlength=NUM_ITEMS + 1)[1:], law)


def check_pairs(
    first: npt.NDArray[Any], second: npt.NDArray[Any], joint: npt.NDArray[np.float64]
) -> None:
    """Check two draws together."""
    pairs = (first - 1) * NUM_ITEMS + second - 1
    g_test(np.bincount(pairs, minlength=NUM_ITEMS**2), joint.reshape(-1))


@pytest.mark.parametrize("name", LAWS)
def test_single_draws_and_pairs_of_draws(backend: Adapter, name: str) -> None:
    build, law = LAWS[name]
    item_ids = draw(build, backend, num_negatives=2)
    independent = np.outer(law, law)
    check_law(item_ids[:, 0], law)
    check_law(item_ids[:, 1], law)
    check_pairs(item_ids[:, 0], item_ids[:, 1], independent)  # positions
    check_pairs(item_ids[:-1, 0], item_ids[1:, 0], independent)  # rows
    check_pairs(item_ids[:-1, 1], item_ids[1:, 0], independent)


@pytest.mark.parametrize("name", LAWS)
def test_without_replacement_draws_are_successive(backend: Adapter, name: str) -> None:
    build, law = LAWS[name]
    item_ids = draw(build, backend, num_negatives=2, replacement=False)
    joint = np.outer(law, law) / (1 - law)[:, None]
    np.fill_diagonal(joint, 0.0)
    check_pairs(item_ids[:, 0], item_ids[:, 1], joint)


@pytest.mark.parametrize("name", LAWS)
def test_calls_are_independent(backend: Adapter, name: str) -> None:
    sampler = LAWS[name][0](seed=29)
    score = DotProduct(
        backend.array(np.tile(QUERY.astype(np.float32), (NUM_ROWS // 2, 1))),
        backend.array(EMBEDDINGS.astype(np.float32)),
    )
    targets = backend.array(np.full(NUM_ROWS // 2, TARGET))
    one, other = (
        backend.numpy(sampler.sample(targets, score=score).item_ids)[:, 0] for _ in range(2)
    )
    shares = sampler.probabilities(targets[:1], score=DotProduct(score.queries[:1], score.items))
    whole = backend.numpy(shares)[0]
    check_pairs(one, other, np.outer(whole, whole))


@pytest.mark.parametrize("candidates", ["batch", "query"])
def test_every_subset_is_pre_selected_alike(backend: Adapter, candidates: Any) -> None:
    """All 20 subsets of 3 of 6 items, seen in the laws of 1,500 calls or 4,000 rows."""
    sampler = GenNi(6, alpha=1.0, beta=0.5, candidates=candidates, seed=31)
    index: dict[tuple[int, ...], int] = {
        subset: place for place, subset in enumerate(combinations(range(6), 3))
    }
    rows = 4000 if candidates == "query" else 1
    targets = backend.array(np.full(rows, 2))
    score = DotProduct(
        backend.array(np.zeros((rows, 2), np.float32)), backend.array(np.zeros((6, 2), np.float32))
    )
    subsets = []
    for _ in range(1 if candidates == "query" else 1500):
        law = backend.numpy(sampler.probabilities(targets, score=score))
        for line in law:
            subset = set(np.flatnonzero(line).tolist())
            subsets.append(index[tuple(sorted(subset | ({2} if len(subset) == 2 else set())))])
        sampler.sample(targets, score=score)
    g_test(np.bincount(subsets, minlength=20), np.full(20, 1 / 20))
    if candidates == "query":
        pairs = np.array(subsets[:-1:2]) * 20 + np.array(subsets[1::2])
        g_test(np.bincount(pairs, minlength=400), np.full(400, 1 / 400))


# What follows needs no luck: kernels are pure functions of their words, fed with a grid of words.


def grid(size: int) -> npt.NDArray[np.int64]:
    """Return words that cut [0, 2**32) into equal parts."""
    return ((np.arange(size) + 0.5) * 2.0**32 / size).astype(np.int64)


def check_exact(counts: npt.NDArray[Any], law: npt.NDArray[np.float64]) -> None:
    """Check that each cell has its share of an even grid, up to one at each border."""
    assert np.abs(counts - law * counts.sum()).max() <= 1.0


def excluded_places() -> Excluded:
    places = np.array(sorted({TARGET - 1, *(item - 1 for item in SEEN), EXTRA - 1}))
    return Excluded(np.array([0, len(places)]), places, NUM_ITEMS)


@pytest.mark.parametrize("cumulative", [None, np.concatenate([[0], np.cumsum(COUNTS[1:])])])
def test_by_weight_maps_integers_to_items_exactly(cumulative: Any) -> None:
    weights = np.ones(NUM_ITEMS) if cumulative is None else COUNTS[1:].astype(float)
    total = int(by_weight.admissible_weight(excluded_places(), cumulative)[0])
    places = by_weight.pick(np.arange(total)[None, :], excluded_places(), cumulative)[0]
    law = law_of(weights)
    assert total == round(weights[law > 0].sum())
    np.testing.assert_array_equal(
        np.bincount(places, minlength=NUM_ITEMS), np.where(law > 0, weights, 0)
    )


def test_by_score_picks_in_proportion_exactly() -> None:
    weights = np.exp(2.0 * SCORES)
    words = grid(100_000)
    places = by_score.pick(np.broadcast_to(weights, (len(words), NUM_ITEMS)), words)
    check_exact(np.bincount(places, minlength=NUM_ITEMS), weights / weights.sum())
    weights[[0, 4, 11]] = 0.0
    places = by_score.pick(np.broadcast_to(weights, (len(words), NUM_ITEMS)), words)
    check_exact(np.bincount(places, minlength=NUM_ITEMS), weights / weights.sum())


def test_two_levels_make_one_law_over_several_blocks(backend: Adapter) -> None:
    """300 items are three blocks, the last of 44."""
    random = np.random.default_rng(3)
    num_items, num_rows = 300, 60_000
    embeddings = random.normal(size=(num_items, 3)).astype(np.float32)
    query = random.normal(size=3).astype(np.float32)
    sampler = GenNi(num_items, alpha=1.0, seed=37)
    score = DotProduct(backend.array(np.tile(query, (num_rows, 1))), backend.array(embeddings))
    negatives = sampler.sample(backend.array(np.full(num_rows, 131)), score=score)
    item_ids = backend.numpy(negatives.item_ids)[:, 0]
    weights = np.exp(embeddings.astype(float) @ query)
    weights[131] = 0.0
    g_test(np.bincount(item_ids, minlength=num_items), weights / weights.sum())


# Broken twins: each must fail one of the checks above.


def off_by_one(patch: pytest.MonkeyPatch) -> None:
    pick = by_score.pick
    patch.setattr(by_score, "pick", lambda w, words: np.maximum(pick(w, words) - 1, 0))


def leaked_target(patch: pytest.MonkeyPatch) -> None:
    original = by_score.admissible_scores
    nothing = Excluded(np.zeros(NUM_ROWS + 1, np.int64), np.empty(0, np.int64), NUM_ITEMS)

    def leak(scores: Any, row: Any, block: Any, _: Excluded) -> Any:
        return original(scores, row, block, nothing)

    patch.setattr(by_score, "admissible_scores", leak)


def alpha_twice(patch: pytest.MonkeyPatch) -> None:
    original = by_score.draw
    patch.setattr(
        by_score, "draw", lambda r, e, s, alpha, *rest, **k: original(r, e, s, alpha**2, *rest, **k)
    )


def reused_word(patch: pytest.MonkeyPatch) -> None:
    words = Stream.words
    patch.setattr(Stream, "words", lambda self, use, draws: words(self, use, draws | 1))


def one_word_for_both_levels(patch: pytest.MonkeyPatch) -> None:
    words = Stream.words
    patch.setattr(Stream, "words", lambda self, use, draws: (words(self, use, draws)[0],) * 2)


def lost_last_item(patch: pytest.MonkeyPatch) -> None:
    original = by_weight.admissible_weight
    patch.setattr(by_weight, "admissible_weight", lambda e, c: original(e, c) - 1)


def wrong_power(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(
        LAWS, "popularity", (lambda **a: Popularity(COUNTS, 0.9, ITEMS, **a), LAWS["popularity"][1])
    )


def cut_last_block(patch: pytest.MonkeyPatch) -> None:
    original = by_score.block_masses

    def cut(*arguments: Any) -> Any:
        masses = original(*arguments)
        masses.sums[:, -1] = 0.0
        return masses

    patch.setattr(by_score, "block_masses", cut)


REFERENCE = Adapter("numpy", np.asarray, np.asarray)


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make "auto" stand for the backend whose functions the twins replace."""
    monkeypatch.setenv("NEGSAMP_BACKEND", REFERENCE.name)


@pytest.mark.usefixtures("reference")
@pytest.mark.parametrize(
    ("breakage", "name"),
    [
        (off_by_one, "genni alpha 2"),
        (leaked_target, "genni alpha 2"),
        (alpha_twice, "genni alpha 2"),
        (alpha_twice, "genni alpha 0.5"),
        (reused_word, "uniform"),
        (reused_word, "genni alpha 2"),
        (lost_last_item, "uniform"),
        (wrong_power, "popularity"),
    ],
)
def test_a_broken_twin_is_caught(
    monkeypatch: pytest.MonkeyPatch, breakage: Callable[[pytest.MonkeyPatch], None], name: str
) -> None:
    breakage(monkeypatch)
    with pytest.raises(AssertionError, match=r"p = |impossible"):
        test_single_draws_and_pairs_of_draws(REFERENCE, name)


@pytest.mark.usefixtures("reference")
@pytest.mark.parametrize("breakage", [cut_last_block, one_word_for_both_levels])
def test_a_twin_broken_between_blocks_is_caught(
    monkeypatch: pytest.MonkeyPatch, breakage: Callable[[pytest.MonkeyPatch], None]
) -> None:
    breakage(monkeypatch)
    with pytest.raises(AssertionError, match=r"p = |impossible"):
        test_two_levels_make_one_law_over_several_blocks(REFERENCE)


@pytest.mark.usefixtures("reference")
def test_a_pre_selection_with_a_favourite_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    words = Stream.words

    def favour(self: Stream, use: int, draws: Any) -> Any:
        high, low = words(self, use, draws)
        return (np.where(draws == 4, high // 2, high) if use == CANDIDATES else high), low

    monkeypatch.setattr(Stream, "words", favour)
    with pytest.raises(AssertionError, match="p = "):
        test_every_subset_is_pre_selected_alike(REFERENCE, "batch")


def test_the_g_test_has_its_level() -> None:
    """Of 200 right laws none is rejected at level 1e-6, and about 1 in 20 at .05."""
    random = np.random.default_rng(5)
    law = LAWS["genni alpha 0.5"][1]
    counts = random.multinomial(NUM_ROWS, law, size=200)
    for each in counts:
        g_test(each, law)
    held = law > 0
    p = [
        stats.power_divergence(each[held], law[held] * NUM_ROWS, lambda_="log-likelihood").pvalue
        for each in counts
    ]
    rejected = sum(value < 0.05 for value in p)
    assert abs(rejected - 10) <= 5 * math.sqrt(200 * 0.05 * 0.95)
