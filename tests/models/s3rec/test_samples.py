"""Samples: from the training part alone, and hidden by the law that is written down."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from negsamp import InvalidInputError, Uniform
from negsamp_models.datasets import Dataset, LeaveOneOut, Sequences
from negsamp_models.s3rec.samples import Prefixes, Samples, draw_samples

LEVEL = 1e-6


def split_of(lists: list[list[int]], max_length: int) -> LeaveOneOut:
    num_items = max(map(max, lists))
    return LeaveOneOut.of(Dataset("tiny", Sequences.from_lists(lists), num_items), max_length)


@pytest.fixture(scope="module")
def split() -> LeaveOneOut:
    """Users whose held-out items are above 100, and occur nowhere else."""
    random = np.random.default_rng(3)
    lists = [
        [*(random.permutation(100)[: random.integers(2, 12)] + 1).tolist(), 101, 102]
        for _ in range(40)
    ]
    return split_of(lists, max_length=8)


@pytest.fixture(scope="module")
def prefixes(split: LeaveOneOut) -> Prefixes:
    return Prefixes.of(split)


def draw(prefixes: Prefixes, numbers: np.ndarray, mask_probability: float = 0.2) -> Samples:
    elsewhere = Uniform(len(prefixes.corpus), seed=1)
    return draw_samples(
        prefixes, numbers, mask_probability, elsewhere, np.random.default_rng([7, len(numbers)])
    )


def test_one_prefix_for_each_item_of_each_training_part(
    split: LeaveOneOut, prefixes: Prefixes
) -> None:
    parts = [part.tolist() for part in split.training_part.last(8)]
    expected = [part[: end + 1] for part in parts for end in range(len(part))]
    assert [each.tolist() for each in prefixes.sequences] == expected
    for sequence, place in zip(prefixes.sequences, prefixes.places, strict=True):
        assert prefixes.corpus[place : place + len(sequence)].tolist() == sequence.tolist()
    assert len(prefixes.corpus) > sum(map(len, parts))  # the corpus is not cut


def test_held_out_items_are_nowhere(prefixes: Prefixes) -> None:
    samples = draw(prefixes, np.arange(len(prefixes)))
    interactions = prefixes.interactions()
    for ids in (
        prefixes.sequences.item_ids,
        prefixes.corpus,
        samples.prefixes.item_ids,
        samples.impostors,
        interactions.item_ids,
    ):
        assert int(ids.max()) <= 100
    for number in (0, 5, 17):
        assert interactions.items_of(number).tolist() == sorted(set(prefixes.sequences[number]))


def test_the_last_item_is_masked_and_the_others_now_and_then(prefixes: Prefixes) -> None:
    numbers = np.tile(np.arange(len(prefixes)), 60)
    samples = draw(prefixes, numbers)
    ends = samples.prefixes.offsets[1:] - 1
    assert samples.masked[ends].all()
    others = np.delete(samples.masked, ends)
    assert stats.binomtest(int(others.sum()), len(others), 0.2).pvalue > LEVEL
    assert stats.binomtest(int(others.sum()), len(others), 0.22).pvalue < LEVEL
    assert not np.delete(draw(prefixes, numbers, 0.0).masked, ends).any()
    assert draw(prefixes, numbers, 1.0).masked.all()


def test_segments_have_the_law_of_the_authors(prefixes: Prefixes) -> None:
    number = int(np.flatnonzero(prefixes.sequences.lengths == 7)[0])
    samples = draw(prefixes, np.full(20_000, number))
    inside = samples.in_segment.reshape(-1, 7)
    sizes, starts = inside.sum(1), inside.argmax(1)
    for size, start, row in zip(sizes, starts, inside, strict=True):
        assert row[start : start + size].all()
    cells = {(m, s): 1 / 3 / (7 - m + 1) for m in (1, 2, 3) for s in range(7 - m + 1)}
    counts = [int(((sizes == m) & (starts == s)).sum()) for m, s in cells]
    assert sum(counts) == 20_000
    assert stats.chisquare(counts, 20_000 * np.array(list(cells.values()))).pvalue > LEVEL
    even = np.full(len(cells), 20_000 / len(cells))
    assert stats.chisquare(counts, even).pvalue < LEVEL


def test_a_prefix_of_one_item_has_no_segment(prefixes: Prefixes) -> None:
    alone = np.flatnonzero(prefixes.sequences.lengths == 1)
    samples = draw(prefixes, alone)
    assert not samples.in_segment.any()
    assert samples.impostors.tolist() == samples.prefixes.item_ids.tolist()


def test_impostors_come_from_anywhere_else_alike() -> None:
    prefixes = Prefixes.of(split_of([[1, 2, 3, 9, 9], [4, 5, 6, 7, 9, 9]], max_length=3))
    assert prefixes.corpus.tolist() == [1, 2, 3, 4, 5, 6, 7]
    samples = draw(prefixes, np.full(14_000, 1))  # [1, 2]: segments are 1 alone, or 2 alone
    assert prefixes.sequences[1].tolist() == [1, 2]
    inside = samples.in_segment.reshape(-1, 2)
    for place, true in ((0, 1), (1, 2)):
        drawn = samples.impostors.reshape(-1, 2)[inside[:, place], place]
        counts = np.bincount(drawn, minlength=8)
        assert counts[true] == counts[0] == 0
        others = np.delete(counts, [0, true])
        assert stats.chisquare(others).pvalue > LEVEL
        assert stats.chisquare(others + np.arange(6) * 60).pvalue < LEVEL
    outside = samples.impostors.reshape(-1, 2)[~inside]
    assert set(outside.tolist()) <= {1, 2}


def test_impostors_are_neighbours_and_go_round_the_end() -> None:
    prefixes = Prefixes.of(split_of([[1, 2, 3, 4, 5, 9, 9], [6, 7, 9, 9]], max_length=5))
    number = 3  # [1, 2, 3, 4]
    samples = draw(prefixes, np.full(500, number))
    ring = [1, 2, 3, 4, 5, 6, 7, 1]
    pairs = set()
    for row, inside in zip(
        samples.impostors.reshape(-1, 4), samples.in_segment.reshape(-1, 4), strict=True
    ):
        if inside.sum() == 2:
            pairs.add(tuple(row[inside].tolist()))
    assert pairs == set(pairwise(ring))


def test_a_stream_decides_the_samples(prefixes: Prefixes) -> None:
    numbers = np.arange(50)
    first, again = draw(prefixes, numbers), draw(prefixes, numbers)
    for name in ("masked", "in_segment", "impostors"):
        assert (getattr(first, name) == getattr(again, name)).all()


def test_a_sampler_of_other_places_is_refused(prefixes: Prefixes) -> None:
    with pytest.raises(
        InvalidInputError, match=r"elsewhere must draw from range\(\d+\), the positions"
    ):
        draw_samples(prefixes, np.arange(3), 0.2, Uniform(7), np.random.default_rng(0))


def test_the_comparison_can_fail(prefixes: Prefixes) -> None:
    leaky = replace(prefixes, corpus=np.append(prefixes.corpus, 101))
    drawn = draw(leaky, np.tile(np.arange(len(prefixes)), 20)).impostors
    assert int(drawn.max()) == 101
