"""The synthetic data set: its guarantees, its law, and that its law can be learned."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from negsamp import ConfigError
from negsamp_models.datasets import (
    Dataset,
    LeaveOneOut,
    MarkovLaw,
    SyntheticParameters,
    generate_synthetic,
    synthetic,
)

SMALL = SyntheticParameters(
    num_users=60_000, num_items=12, num_clusters=3, num_successors=2, mean_length=6.0, seed=5
)


def law_of(parameters: SyntheticParameters) -> MarkovLaw:
    return MarkovLaw.of(parameters, np.random.Generator(np.random.PCG64(parameters.seed)))


def digest(dataset: Dataset) -> str:
    arrays = (dataset.sequences.item_ids, dataset.sequences.offsets)
    return hashlib.sha256(b"".join(array.astype("<i8").tobytes() for array in arrays)).hexdigest()


@st.composite
def parameters_of_any_shape(draw: st.DrawFn) -> SyntheticParameters:
    num_items = draw(st.integers(5, 40))
    num_clusters = draw(st.integers(1, num_items // 2))
    follow = draw(st.floats(0, 0.9))
    return SyntheticParameters(
        num_users=num_items + draw(st.integers(0, 30)),
        num_items=num_items,
        num_clusters=num_clusters,
        num_successors=draw(st.integers(1, num_items // num_clusters - 1)),
        mean_length=draw(st.floats(5, 60)),
        zipf_exponent=draw(st.floats(0, 10)),
        follow=follow,
        stay=draw(st.floats(0, 0.99)) * (1 - follow),
        seed=draw(st.integers(0, 2**70)),
    )


@settings(max_examples=50, deadline=None)
@given(parameters_of_any_shape())
def test_guarantees(parameters: SyntheticParameters) -> None:
    dataset = generate_synthetic(parameters)
    sequences = dataset.sequences
    assert dataset.num_users == parameters.num_users
    assert dataset.num_items == parameters.num_items
    assert dataset.item_counts()[1:].min() >= 1
    assert sequences.lengths.min() >= 5
    assert all(len(set(items.tolist())) == len(items) for items in sequences)
    openings = np.bincount([items[0] for items in sequences], minlength=parameters.num_items + 1)
    assert openings[1:].max() - openings[1:].min() <= 1
    assert dataset.attributes is not None
    cluster_sizes = np.bincount(dataset.attributes.attribute_ids)[1:]
    assert len(cluster_sizes) == parameters.num_clusters
    assert cluster_sizes.max() - cluster_sizes.min() <= 1


def test_golden() -> None:
    assert digest(generate_synthetic()) == (
        "7b710ffd8eeabe0c9bf29f7ccd4c2d0c7baea60f310729d5b18a1f50cf1a5b7a"
    )


def test_the_seed_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = SyntheticParameters(num_users=200, num_items=100, num_clusters=5)
    once = digest(generate_synthetic(parameters))
    assert once != digest(generate_synthetic(replace(parameters, seed=1)))
    monkeypatch.setattr(synthetic, "_CELLS_PER_BLOCK", 1)
    assert once == digest(generate_synthetic(parameters))


def test_default_shape() -> None:
    statistics = generate_synthetic().statistics()
    assert statistics[:2] == (3_000, 1_500)
    assert statistics.average_length == pytest.approx(9.0, abs=0.2)


@pytest.mark.parametrize(("num_items", "num_clusters"), [(12, 3), (13, 3), (20, 4)])
def test_successors_go_round_a_ring(num_items: int, num_clusters: int) -> None:
    parameters = SyntheticParameters(num_items=num_items, num_clusters=num_clusters)
    law = law_of(parameters)
    items = np.arange(num_items)
    assert (law.clusters[law.successors] == law.clusters[:, None]).all()
    for nearer, further in zip(law.successors.T, law.successors.T[1:], strict=False):
        assert sorted(nearer) == items.tolist()
        assert (further == law.successors[nearer, 0]).all()
    for cluster in range(num_clusters):
        member = start = int(np.flatnonzero(law.clusters == cluster)[0])
        visited = set()
        while member not in visited:
            visited.add(member)
            member = int(law.successors[member, 0])
        assert member == start
        assert len(visited) == np.count_nonzero(law.clusters == cluster)


def test_popularity_is_zipf() -> None:
    parameters = SyntheticParameters(num_items=100, num_clusters=5, zipf_exponent=0.7)
    expected = np.array([rank**-0.7 for rank in range(1, 101)])
    popularity = np.sort(law_of(parameters).popularity)[::-1]
    np.testing.assert_allclose(popularity, expected / expected.sum(), rtol=1e-12)


def test_probabilities_are_the_mixture_that_is_documented() -> None:
    law = law_of(SMALL)
    shares = [2 / 3, 1 / 3]
    for present in range(12):
        mates = [item for item in range(12) if law.clusters[item] == law.clusters[present]]
        mates_popularity = sum(law.popularity[mate] for mate in mates)
        for following in range(12):
            expected = 0.2 * law.popularity[following]
            if following in mates:
                expected += 0.4 * law.popularity[following] / mates_popularity
            for share, successor in zip(shares, law.successors[present], strict=True):
                expected += 0.4 * share * (following == successor)
            drawn = law.probabilities(np.array([present]))[0, following]
            assert drawn == pytest.approx(expected, rel=1e-12)


def p_value(observed: npt.NDArray[np.int64], expected: npt.NDArray[np.float64]) -> float:
    """Chi-square test of flat counts, cells of an expectation below 5 pooled."""
    rare = expected < 5
    seen = np.append(observed[~rare], observed[rare].sum())
    due = np.append(expected[~rare], expected[rare].sum())
    if due[-1] == 0:
        if seen[-1]:
            return 0.0
        seen, due = seen[:-1], due[:-1]
    return float(chi2.sf(((seen - due) ** 2 / due).sum(), len(due) - 1))


def expected_openings(
    law: MarkovLaw, starts: npt.NDArray[np.int64], *, forget_first: bool = False
) -> npt.NDArray[np.float64]:
    """Count the first three items of all users as the law has them, by enumeration."""
    num_items = len(law.popularity)
    expected = np.zeros((num_items, num_items, num_items))
    table = law.probabilities(np.arange(num_items))
    for first in range(num_items):
        for second in set(range(num_items)) - {first}:
            reach = table[first, second] / (1 - table[first, first])
            taken = {second} if forget_first else {first, second}
            left = 1 - sum(table[second, item] for item in taken)
            for third in set(range(num_items)) - taken:
                expected[first, second, third] = starts[first] * reach * table[second, third] / left
    return expected


def test_openings_follow_the_law_and_no_other() -> None:
    sequences = generate_synthetic(SMALL).sequences
    places = sequences.offsets[:-1, None] + np.arange(3)
    openings = sequences.item_ids[places] - 1
    starts = np.bincount(openings[:, 0], minlength=12)
    observed = np.bincount(openings @ np.array([144, 12, 1]), minlength=12**3)
    law = law_of(SMALL)

    def tested(law: MarkovLaw, *, forget_first: bool = False) -> float:
        expected = expected_openings(law, starts, forget_first=forget_first)
        assert expected.sum() == pytest.approx(SMALL.num_users)
        return p_value(observed, expected.ravel())

    assert tested(law) > 1e-6
    assert tested(law, forget_first=True) < 1e-6
    assert tested(replace(law, follow=0.37)) < 1e-6
    assert tested(replace(law, stay=0.37)) < 1e-6
    assert tested(replace(law, successors=law.successors[:, ::-1])) < 1e-6
    assert tested(replace(law, popularity=law.popularity**1.1 / sum(law.popularity**1.1))) < 1e-6


def test_the_shortest_mean_length_makes_all_lengths_equal() -> None:
    parameters = SyntheticParameters(
        num_users=30, num_items=30, num_clusters=3, mean_length=5.0, seed=2
    )
    assert generate_synthetic(parameters).sequences.lengths.tolist() == [5] * 30


@pytest.mark.parametrize("mean_length", [5.5, 9.0])
def test_lengths_are_five_and_a_geometric_rest(mean_length: float) -> None:
    parameters = SyntheticParameters(
        num_users=20_000, num_items=30, num_clusters=3, mean_length=mean_length, seed=2
    )
    observed = np.bincount(generate_synthetic(parameters).sequences.lengths, minlength=31)

    def expected(mean: float) -> npt.NDArray[np.float64]:
        more = mean / (1 + mean)
        tail = np.array([more**extra if extra >= 0 else 1.0 for extra in range(-5, 27)])
        tail[31] = 0.0
        due: npt.NDArray[np.float64] = parameters.num_users * (tail[:-1] - tail[1:])
        return due

    assert p_value(observed, expected(mean_length - 5)) > 1e-6
    assert p_value(observed, expected(mean_length - 5 + 0.3)) < 1e-6


def test_a_first_order_model_beats_popularity_clearly() -> None:
    dataset = generate_synthetic()
    split = LeaveOneOut.of(dataset)
    popularity = split.training_part.item_counts(dataset.num_items).astype(float)
    transitions = np.zeros((dataset.num_items + 1, dataset.num_items + 1))
    inputs, targets = split.training.inputs.item_ids, split.training.targets.item_ids
    np.add.at(transitions, (inputs, targets), 1.0)
    last = split.test.inputs.last(1).item_ids

    def hit_ratio_at_10(scores: npt.NDArray[np.float64]) -> float:
        scores[:, 0] = -np.inf
        users = np.repeat(np.arange(dataset.num_users), split.test.seen.lengths)
        scores[users, split.test.seen.item_ids] = -np.inf
        answer = np.take_along_axis(scores, split.test.answers[:, None], axis=1)
        return float(np.mean((scores >= answer).sum(axis=1) <= 10))

    by_popularity = hit_ratio_at_10(np.tile(popularity, (dataset.num_users, 1)))
    by_transitions = hit_ratio_at_10(transitions[last] + 1e-6 * popularity)
    assert by_popularity < 0.15
    assert by_transitions > 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_items": 4}, "num_items must be at least 5; got 4"),
        ({"num_users": 1_499}, "num_users must be at least 1500, num_items; got 1499"),
        ({"num_clusters": 0}, r"num_clusters must be in \[1, 1500\], num_items; got 0"),
        ({"num_clusters": 1_501}, "num_clusters must be in"),
        ({"num_successors": 0}, r"num_successors must be in \[1, 29\], below the 30 items"),
        ({"num_successors": 30}, "num_successors must be in"),
        ({"mean_length": 4.9}, "mean_length must be a finite number, at least 5; got 4.9"),
        ({"mean_length": float("nan")}, "mean_length must be a finite number"),
        ({"mean_length": float("inf")}, "mean_length must be a finite number"),
        ({"zipf_exponent": -0.1}, r"zipf_exponent must be in \[0, 10\]; got -0.1"),
        ({"zipf_exponent": 11}, "zipf_exponent must be in"),
        ({"follow": 1.0}, r"follow must be in \[0, 1\); got 1.0"),
        ({"stay": 0.6}, r"stay must be in \[0, 0.6\), 1 - follow; got 0.6"),
        ({"stay": -0.1}, "stay must be in"),
        ({"num_items": 10.0}, "num_items must be an integer; got 10.0"),
        ({"seed": -1}, "seed must be at least 0; got -1"),
    ],
)
def test_parameters_out_of_range(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(SyntheticParameters(), **changes)  # type: ignore[arg-type]
