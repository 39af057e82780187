"""What every sampler promises on every backend, over calls made up by Hypothesis."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from negsamp import DotProduct, GenNi, Negatives, Uniform
from negsamp.backend import load_backend
from tests.samplers.cases import Case, cases
from tests.samplers.conftest import Adapter

EXAMPLES = settings(max_examples=150)


def drawn(case: Case, backend: Adapter, by: str = "auto") -> tuple[Any, Any]:
    """Draw once; return ids and log_q as NumPy arrays."""
    return as_numpy(case.sampler(by).sample(**case.arguments(backend.array)), backend)


def as_numpy(negatives: Negatives, backend: Adapter) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    return backend.numpy(negatives.item_ids), backend.numpy(negatives.log_q)


@EXAMPLES
@given(case=cases())
def test_shapes_dtypes_and_exclusions(backend: Adapter, case: Case) -> None:
    item_ids, log_q = drawn(case, backend)
    shape = (*case.targets.shape, case.num_negatives)
    assert (item_ids.shape, item_ids.dtype) == (shape, np.int64)
    assert (log_q.shape, log_q.dtype) == (shape, np.float32)
    for row, ids in enumerate(item_ids.reshape(-1, case.num_negatives).tolist()):
        if not case.kept(row):
            assert set(ids) == {0}
            assert set(log_q.reshape(-1, case.num_negatives)[row].tolist()) == {0.0}
            continue
        assert set(ids) <= set(case.items) - case.forbidden(row)
        if not case.replacement:
            assert len(set(ids)) == case.num_negatives
        if case.kind == "popularity":
            assert all(case.counts[item] > 0 for item in ids)


@EXAMPLES
@given(case=cases(max_items=60, scales=(0.0, 0.5, 3.0)))
def test_log_q_and_probabilities_are_the_law(backend: Adapter, case: Case) -> None:
    sampler, arguments = case.sampler(), case.arguments(backend.array)
    dense = backend.numpy(sampler.probabilities(**arguments))
    assert dense.shape == (*case.targets.shape, len(case.items))
    assert dense.dtype == np.float64
    item_ids, log_q = as_numpy(sampler.sample(**arguments), backend)
    preselected = case.kind == "genni" and case.alpha > 0 and case.beta < 1
    largest = float(np.abs(case.queries).max(initial=0.0)) * 20
    for row, line in enumerate(dense.reshape(-1, len(case.items))):
        if not case.kept(row):
            assert not line.any()
            continue
        subset = None
        if preselected:
            subset = {case.items[place] for place in np.flatnonzero(line)}
            assert len(subset) <= math.ceil(case.beta * len(case.items))
        law = case.law(row, subset)
        expected = [law.get(item, 0.0) for item in case.items]
        np.testing.assert_allclose(line, expected, rtol=1e-5 * (1 + largest), atol=1e-12)
        for j, item in enumerate(item_ids.reshape(-1, case.num_negatives)[row].tolist()):
            assert log_q.reshape(-1, case.num_negatives)[row, j] == pytest.approx(
                math.log(law[item]), rel=1e-5, abs=1e-5 * (1 + largest)
            )


@EXAMPLES
@given(case=cases(kinds=("genni",)))
def test_alpha_zero_is_uniform_draw_by_draw(backend: Adapter, case: Case) -> None:
    case = replace(case, alpha=0.0)
    genni, uniform = drawn(case, backend), drawn(replace(case, kind="uniform"), backend)
    np.testing.assert_array_equal(genni[0], uniform[0])
    np.testing.assert_array_equal(genni[1], uniform[1])


@EXAMPLES
@given(case=cases(), rows=st.integers(1, 7), scores=st.integers(1, 2000))
def test_chunks_do_not_change_draws(backend: Adapter, case: Case, rows: int, scores: int) -> None:
    whole = drawn(case, backend)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_backend(backend.name), "rows_per_chunk", rows)
        patch.setattr(load_backend(backend.name), "scores_per_tile", scores)
        parts = drawn(case, backend, by=backend.name)
    np.testing.assert_array_equal(whole[0], parts[0])
    largest = float(np.abs(case.queries).max(initial=0.0))
    np.testing.assert_allclose(whole[1], parts[1], rtol=1e-5, atol=1e-5 * (1 + 20 * largest))


@EXAMPLES
@given(case=cases())
def test_a_mask_moves_no_other_draw(backend: Adapter, case: Case) -> None:
    if case.mask is None:
        return
    masked, whole = drawn(case, backend)[0], drawn(replace(case, mask=None), backend)[0]
    np.testing.assert_array_equal(masked[case.mask], whole[case.mask])


@EXAMPLES
@given(case=cases(), calls=st.integers(0, 3))
def test_saved_and_loaded_goes_on_identically(backend: Adapter, case: Case, calls: int) -> None:
    sampler, arguments = case.sampler(), case.arguments(backend.array)
    for _ in range(calls):
        sampler.sample(**arguments)
    resumed = replace(case, seed=case.seed // 2).sampler()
    resumed.load_state_dict(json.loads(json.dumps(sampler.state_dict())))
    for _ in range(2):
        one, other = sampler.sample(**arguments), resumed.sample(**arguments)
        for mine, its in zip(as_numpy(one, backend), as_numpy(other, backend), strict=True):
            np.testing.assert_array_equal(mine, its)


@EXAMPLES
@given(case=cases(scales=(0.5, 3.0)))
def test_backends_agree_with_the_reference(backend: Adapter, case: Case) -> None:
    ours, log_q = drawn(case, backend)
    theirs, reference_log_q = as_numpy(
        case.sampler("numpy").sample(**case.arguments()), Adapter("numpy", np.asarray, np.asarray)
    )
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(log_q, reference_log_q, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    ("alpha", "beta", "candidates"),
    [(1, 1, "batch"), (2.5, 1, "batch"), (4, 0.1, "batch"), (2.5, 0.05, "query")],
)
def test_100_000_draws_at_the_size_of_the_paper(
    backend: Adapter, alpha: float, beta: float, candidates: Any
) -> None:
    """At least 99.99 % of the draws are those of the reference."""
    random = np.random.default_rng(0)
    num_rows, num_items = (1000, 12_101) if candidates == "batch" else (50, 12_101)
    case = Case(
        kind="genni", items=range(1, num_items + 1), num_negatives=100, replacement=True,
        alpha=alpha, beta=beta, candidates=candidates, gamma=0.0, counts=np.zeros(0, np.int64),
        interactions=None, seed=11, targets=random.integers(1, num_items + 1, num_rows),
        users=np.zeros(num_rows, np.int64), mask=None, exclude=None,
        queries=random.normal(size=(num_rows, 64)).astype(np.float32) * np.float32(0.25),
        embeddings=random.normal(size=(num_items + 1, 64)).astype(np.float32) * np.float32(0.5),
        called=False,
    )  # fmt: skip
    ours = drawn(case, backend)[0]
    theirs = case.sampler("numpy").sample(**case.arguments()).item_ids
    assert np.mean(ours == theirs) >= 0.9999


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("integers", ["int32", "int64"])
def test_dtypes_of_inputs(backend: Adapter, dtype: str, integers: str) -> None:
    random = np.random.default_rng(1)
    queries = random.normal(size=(6, 8)).astype(dtype)
    embeddings = random.normal(size=(301, 8)).astype(dtype)
    case = Case(
        kind="genni", items=range(1, 301), num_negatives=3, replacement=True, alpha=1.0, beta=1.0,
        candidates="batch", gamma=0.0, counts=np.zeros(0, np.int64),
        interactions=[[1, 2], [3]], seed=5, targets=random.integers(1, 301, 6).astype(integers),
        users=random.integers(0, 2, 6).astype(integers), mask=None,
        exclude=np.full((6, 1), 9, integers), queries=queries, embeddings=embeddings, called=False,
    )  # fmt: skip
    wide = replace(
        case, queries=queries.astype(np.float32), embeddings=embeddings.astype(np.float32)
    )
    for mine, its in zip(drawn(case, backend), drawn(wide, backend), strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-6)


def test_strided_and_read_only_arrays(backend: Adapter) -> None:
    if backend.array is not np.asarray:
        pytest.skip("torch copies what it cannot share; see test_torch.py")
    random = np.random.default_rng(2)
    targets = np.arange(1, 41)[::2]
    queries = np.asfortranarray(random.normal(size=(20, 6)).astype(np.float32))
    wide = random.normal(size=(50, 12)).astype(np.float32)
    for array in (targets, queries, wide):
        array.flags.writeable = False
    case = Case(
        kind="genni", items=range(1, 50), num_negatives=2, replacement=True, alpha=1.0, beta=1.0,
        candidates="batch", gamma=0.0, counts=np.zeros(0, np.int64), interactions=None, seed=5,
        targets=targets, users=targets, mask=None, exclude=None, queries=queries,
        embeddings=wide[:, ::2], called=False,
    )  # fmt: skip
    plain = replace(
        case,
        targets=targets.copy(),
        queries=queries.copy("C"),
        embeddings=np.ascontiguousarray(wide[:, ::2]),
    )
    np.testing.assert_array_equal(drawn(case, backend)[0], drawn(plain, backend)[0])


@pytest.mark.parametrize("candidates", [None, "batch", "query"])
@pytest.mark.parametrize("held", [True, False])
def test_many_negatives_are_those_of_the_reference(
    backend: Adapter, held: bool, candidates: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than a row has blocks, and fewer, of scores that a tile holds or does not."""
    if not held:
        monkeypatch.setattr(load_backend(backend.name), "scores_per_tile", 1)
    random = np.random.default_rng(0)
    targets, excluded = random.integers(0, 700, 50), random.integers(0, 700, (50, 9))
    queries, table = (random.normal(size=(n, 8)).astype(np.float32) for n in (50, 700))
    changes = {} if candidates is None else {"beta": 0.7, "candidates": candidates}
    for num_negatives in (3, 40):
        sampler, reference = (
            GenNi(700, num_negatives, alpha=1.5, backend=name, **changes)
            for name in (backend.name, "numpy")
        )
        ours = sampler.sample(
            backend.array(targets),
            score=DotProduct(backend.array(queries), backend.array(table)),
            exclude=backend.array(excluded),
        )
        theirs = reference.sample(targets, score=DotProduct(queries, table), exclude=excluded)
        np.testing.assert_array_equal(backend.numpy(ours.item_ids), theirs.item_ids)
        np.testing.assert_allclose(backend.numpy(ours.log_q), theirs.log_q, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("num_negatives", [1, 9])
@pytest.mark.parametrize("called", [False, True])
def test_a_block_without_items_is_never_drawn_from(
    backend: Adapter, num_negatives: int, called: bool
) -> None:
    """However low the scores in the others, as where 2 ** -exponent overflows float32."""
    exponents = np.array([-1e5, -640, -384, -129, -128, -127, -1, 1, 1e5])
    queries = (exponents * math.log(2) / 2.5).astype(np.float32)[:, None]
    table = np.ones((129, 1), np.float32)
    dot_product = DotProduct(queries, table)
    score: Any = DotProduct(backend.array(queries), backend.array(table))
    if called:

        def score(ids: Any) -> Any:
            return backend.array(dot_product(backend.numpy(ids)))

    negatives = GenNi(129, num_negatives, alpha=2.5).sample(
        backend.array(np.zeros(9, np.int64)),
        score=score,
        exclude=backend.array(np.broadcast_to(np.arange(128), (9, 128)).copy()),
    )
    assert set(backend.numpy(negatives.item_ids).reshape(-1).tolist()) == {128}
    assert not backend.numpy(negatives.log_q).any()


@pytest.mark.parametrize("replacement", [True, False])
@pytest.mark.parametrize("called", [False, True])
@pytest.mark.parametrize("held", [False, True])
def test_equal_scores_are_drawn_alike_however_large(
    backend: Adapter, held: bool, called: bool, replacement: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over blocks of 128, 128 and 44 items."""
    if not held:
        monkeypatch.setattr(load_backend(backend.name), "scores_per_tile", 1)

    def draw(value: float) -> tuple[Any, Any]:
        queries, table = np.full((4, 1), value, np.float32), np.ones((300, 1), np.float32)
        product = DotProduct(backend.array(queries), backend.array(table))
        score = product.__call__ if called else product
        sampler = GenNi(300, 20, alpha=1.5, replacement=replacement)
        return as_numpy(sampler.sample(backend.array(np.arange(4)), score=score), backend)

    item_ids, log_q = draw(0.0)
    np.testing.assert_allclose(log_q, -math.log(299), rtol=1e-6)
    for value in (1e30, -1e30):
        found = draw(value)
        np.testing.assert_array_equal(found[0], item_ids)
        np.testing.assert_allclose(found[1], log_q, rtol=1e-6)


@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_a_log_q_beyond_float32_is_minus_infinity(name: str) -> None:
    """The other backends never draw what alpha times the score makes -inf."""
    pytest.importorskip(name)

    def score(item_ids: Any) -> Any:
        return np.where(item_ids == 3, 0.0, np.finfo(np.float32).min)[None, :]

    sampler = GenNi(5, 4, alpha=2.5, replacement=False, backend=name)
    negatives = sampler.sample(np.array([0]), score=score)
    assert set(negatives.item_ids[0].tolist()) == {1, 2, 3, 4}
    assert negatives.log_q.tolist() == [[0.0] + [-math.inf] * 3]


def test_tiny_embeddings_and_a_large_alpha_are_as_others(backend: Adapter) -> None:
    """The scales are powers of two, and change no product; squares of the embeddings underflow."""
    random = np.random.default_rng(4)
    queries, table = (random.normal(size=(n, 3)).astype(np.float32) for n in (20, 200))
    queries *= 30

    def draw(alpha: float, of_queries: float, of_table: float) -> tuple[Any, Any]:
        scaled = queries * np.float32(of_queries), table * np.float32(of_table)
        score = DotProduct(*map(backend.array, scaled))
        targets = backend.array(np.zeros(20, np.int64))
        return as_numpy(GenNi(200, 5, alpha=alpha).sample(targets, score=score), backend)

    plain, extreme = draw(2.0, 1.0, 1.0), draw(2.0**36, 2.0**45, 2.0**-80)
    np.testing.assert_array_equal(plain[0], extreme[0])
    np.testing.assert_allclose(plain[1], extreme[1], rtol=1e-5, atol=1e-5)


def test_one_item_is_enough_for_another_target(backend: Adapter) -> None:
    negatives = Uniform(range(3, 5)).sample(backend.array(np.array([3, 4, 3])))
    assert backend.numpy(negatives.item_ids).tolist() == [[4], [3], [4]]
    assert backend.numpy(negatives.log_q).tolist() == [[0.0], [0.0], [0.0]]


@pytest.mark.parametrize(("replacement", "most"), [(True, 2), (False, 1 + 8)])
def test_a_callable_is_asked_no_more_for_more_negatives(
    backend: Adapter, replacement: bool, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for an item, and again if its block was drawn from; without replacement by each draw."""
    monkeypatch.setattr(load_backend(backend.name), "scores_per_tile", 4000)
    asked: list[npt.NDArray[np.int64]] = []

    def score(item_ids: Any) -> Any:
        asked.append(backend.numpy(item_ids))
        return backend.array(np.zeros((30, len(asked[-1])), np.float32))

    sampler = GenNi(1000, 8, replacement=replacement)
    sampler.sample(backend.array(np.arange(30)), score=score)
    counts = np.bincount(np.concatenate(asked))
    assert len(counts) == 1000
    assert counts.min() > 1
    assert counts.max() == most
