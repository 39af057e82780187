"""The stream: known answers, exact integers, golden values, and streams that never meet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negsamp import DotProduct, GenNi, Popularity, Sampler, Uniform
from negsamp.stream import CANDIDATES, NEGATIVES, Stream, below, philox4x32, spawn_key
from tests.samplers.conftest import Adapter

KNOWN_ANSWERS = [  # Random123, tests/kat_vectors, philox4x32 with 10 rounds
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def needs_operators(backend: Adapter) -> None:
    """Skip where arrays know no shifts: such a backend has its words from elsewhere."""
    if backend.name == "tensorflow":
        pytest.skip("tensors of TensorFlow know no >>; its words are in test_tensorflow.py")


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_philox_known_answers(backend: Adapter, counter: Any, key: Any, words: Any) -> None:
    assert philox4x32(counter, key) == words
    needs_operators(backend)
    arrays = tuple(backend.array(np.array([each], np.int64)) for each in counter)
    computed = philox4x32(arrays, key)
    assert [backend.numpy(each).tolist() for each in computed] == [[each] for each in words]


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(1, 2**63 - 1))
def test_below_is_exact(high: int, low: int, bound: int) -> None:
    exact = ((high << 32 | low) * bound) >> 64
    assert below(high, low, bound) == exact
    arrays = (np.array([each], np.int64) for each in (high, low, bound))
    assert below(*arrays).tolist() == [exact]


@pytest.mark.parametrize("bound", [1, 2, 12_101, 2**31 - 1, 2**62 + 12_345, 2**63 - 1])
def test_below_on_each_backend(backend: Adapter, bound: int) -> None:
    words = np.array([0, 1, 2**31, 2**32 - 1], np.int64)
    needs_operators(backend)
    high, low = (backend.array(each) for each in (np.repeat(words, 4), np.tile(words, 4)))
    bounds = backend.array(np.full(16, bound))
    exact = [((int(h) << 32 | int(w)) * bound) >> 64 for h in words for w in words]
    assert backend.numpy(below(high, low, bounds)).tolist() == exact


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**56 - 1), st.integers(0, 2**62))
def test_two_draws_share_a_block(key: int, call: int, draw: int) -> None:
    stream = Stream(key, call)
    block = draw // 2
    counter = (block & 0xFFFFFFFF, block >> 32, *stream.counter_tail(NEGATIVES))
    words = philox4x32(counter, (key & 0xFFFFFFFF, key >> 32))
    assert stream.words(NEGATIVES, draw) == words[draw % 2 * 2 :][:2]
    array = np.array([draw], np.int64)
    assert [int(each[0]) for each in stream.words(NEGATIVES, array)] == list(
        stream.words(NEGATIVES, draw)
    )


def test_calls_uses_keys_and_spawned_streams_never_share_a_block() -> None:
    keys = [5, 6, *(spawn_key(5, i) for i in range(50)), spawn_key(spawn_key(5, 0), 0)]
    assert len(set(keys)) == len(keys)
    draws = np.arange(2000)
    seen: set[tuple[int, int]] = set()
    for key in keys:
        for call in (0, 1, 2**32):
            for use in (NEGATIVES, CANDIDATES):
                high, low = Stream(key, call).words(use, draws)
                seen |= set(zip(high.tolist(), low.tolist(), strict=True))
    assert len(seen) == len(keys) * 3 * 2 * len(draws)


def test_words_are_even() -> None:
    """Each bit of 100,000 words is set half the time, within five standard errors."""
    high, low = Stream(0, 0).words(NEGATIVES, np.arange(50_000))
    words = np.concatenate([high, low])
    for bit in range(32):
        assert abs(float((words >> bit & 1).mean()) - 0.5) < 5 * 0.5 / np.sqrt(len(words))


def test_a_spawned_sampler_goes_its_own_way() -> None:
    targets = np.full(1000, 3)
    sampler = Uniform(1000, seed=9)
    samplers = [sampler, *(sampler.spawn(i) for i in range(4)), sampler.spawn(0).spawn(0)]
    draws = [each.sample(targets).item_ids for each in samplers]
    for one in range(len(draws)):
        for other in range(one):
            assert np.mean(draws[one] == draws[other]) < 0.01
    again = Uniform(1000, seed=9).spawn(2)
    np.testing.assert_array_equal(again.sample(targets).item_ids, draws[3])
    assert again.state_dict()["spawned"] == [2]


ITEMS = range(1, 1001)
GOLDEN: dict[str, tuple[Sampler, list[list[int]]]] = {
    "uniform": (
        Uniform(ITEMS, 4, seed=1),
        [[29, 224, 233, 819], [490, 484, 427, 926], [101, 794, 135, 592]],
    ),
    "uniform, no replacement": (
        Uniform(ITEMS, 4, replacement=False, seed=2),
        [[831, 170, 403, 416], [36, 772, 15, 704], [732, 272, 455, 264]],
    ),
    "popularity": (
        Popularity(np.arange(1001) % 13, items=ITEMS, num_negatives=4, seed=3),
        [[206, 867, 970, 307], [101, 576, 509, 555], [998, 451, 773, 704]],
    ),
    "genni": (
        GenNi(ITEMS, 4, alpha=2.0, seed=4),
        [[965, 27, 398, 216], [667, 690, 472, 54], [63, 824, 438, 350]],
    ),
    "genni, batch": (
        GenNi(ITEMS, 4, alpha=2.0, beta=0.1, seed=5),
        [[383, 727, 937, 650], [239, 493, 581, 417], [239, 483, 417, 87]],
    ),
    "genni, query": (
        GenNi(ITEMS, 4, alpha=2.0, beta=0.1, candidates="query", seed=6),
        [[711, 880, 671, 503], [119, 54, 945, 945], [492, 106, 549, 406]],
    ),
    "spawned": (
        Uniform(ITEMS, 4, seed=2**64 - 1).spawn(3),
        [[694, 341, 588, 55], [473, 229, 830, 957], [714, 200, 752, 738]],
    ),
}
"""Second call of each; a change here is a new stream: see CONTRIBUTING.md."""


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_draws(backend: Adapter, name: str) -> None:
    sampler, expected = GOLDEN[name]
    sampler.load_state_dict(sampler.state_dict() | {"call": 1})
    embeddings = np.stack([np.arange(1001) % 7, np.arange(1001) % 11], axis=1) / 4
    queries = np.array([[1, 0], [0, 1], [-1, 2]])
    negatives = sampler.sample(
        backend.array(np.array([5, 17, 500])),
        score=DotProduct(
            backend.array(queries.astype(np.float32)), backend.array(embeddings.astype(np.float32))
        ),
    )
    assert backend.numpy(negatives.item_ids).tolist() == expected
