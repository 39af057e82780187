"""What only compiled kernels have: polynomials, threads, forks, a cache, and who is given them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from negsamp import (
    DotProduct,
    GenNi,
    Interactions,
    InvalidScoresError,
    Popularity,
    Uniform,
)
from negsamp.backend import resolve_name
from negsamp.stream import NEGATIVES, Stream, below

numba = pytest.importorskip("numba", reason="Numba is not installed")

ITEMS = range(1, 1001)
RANDOM = np.random.default_rng(5)
TARGETS = RANDOM.integers(1, 1001, 600)
QUERIES = RANDOM.normal(size=(600, 16)).astype(np.float32)
EMBEDDINGS = RANDOM.normal(size=(1001, 16)).astype(np.float32)
USERS = RANDOM.integers(0, 50, 600)
INTERACTIONS = Interactions.from_sequences([RANDOM.integers(1, 1001, 30) for _ in range(50)])


def draws(backend: str = "numba", scale: float = 1.0, **changes: Any) -> npt.NDArray[Any]:
    sampler = GenNi(ITEMS, 3, alpha=1.5, interactions=INTERACTIONS, backend=backend, **changes)
    score = DotProduct(QUERIES * np.float32(scale), EMBEDDINGS)
    return np.asarray(sampler.sample(TARGETS, score=score, users=USERS).item_ids)


# Arithmetic.


def compiled(name: str) -> Any:
    """Return a kernel that applies one of the functions to each element."""
    from negsamp_numba import power

    function = getattr(power, name)

    def each(lines: Any, out: Any) -> None:
        for i in range(len(lines)):
            out[i] = function(lines[i])

    return numba.njit(each)


def test_powers_of_two() -> None:
    exponents = np.concatenate(
        [np.linspace(-125, 126, 200_001), np.arange(-125, 127), [-0.0]]
    ).astype(np.float32)
    found = np.empty_like(exponents)
    compiled("power_of_two")(exponents, found)
    exact = np.exp2(exponents.astype(np.float64))
    assert np.abs(found / exact - 1).max() < 2.5e-7
    whole = exponents == np.rint(exponents)
    np.testing.assert_array_equal(found[whole], exact[whole])


def test_powers_of_what_is_excluded_far_away_or_no_number() -> None:
    exponents = np.array([-np.inf, -1e30, -125.5, -200], np.float32)
    no_numbers = np.array([0x7FC00000, 0xFFC00000, 0x7FC00001, 0xFFFFFFFF], np.uint32)
    exponents = np.concatenate([exponents, no_numbers.view(np.float32)])
    found = np.empty_like(exponents)
    compiled("power_of_two")(exponents, found)
    np.testing.assert_array_equal(found, [0] * 4 + [np.nan] * 4)


def test_the_highest_score_of_a_block() -> None:
    lines = np.sort(RANDOM.normal(size=(7, 128)).astype(np.float32) * 1e4, axis=1)[:, ::-1].copy()
    lines = RANDOM.permuted(lines, axis=1)
    lines[1] = -np.abs(lines[1])
    lines[2, :100] = -np.inf
    lines[3] = -np.inf
    lines[4, 5] = np.inf
    lines[5, 5] = np.nan
    lines[6] = -0.0
    found = np.empty(7, np.float32)
    compiled("highest_of")(lines, found)
    expected = lines.max(axis=1)
    expected[[3, 5]] = 0.0
    np.testing.assert_array_equal(found, expected)


def test_masses_of_blocks_are_sums_of_exponentials() -> None:
    """The kernel of the first pass, with both kinds of shifts; a cancelled rounding is off by %."""
    from negsamp_numba.by_score import _masses_of
    from negsamp_numba.columns import Columns
    from negsamp_numba.embeddings import Embeddings
    from negsamp_numba.scores import SharedScores

    scores = SharedScores(QUERIES[:40], Embeddings(EMBEDDINGS), 1.0)
    excluded = Columns(np.arange(40) * 25, np.arange(40), np.ones(40, np.int64))
    weights = np.exp(1.5 * (QUERIES[:40].astype(float) @ EMBEDDINGS.T.astype(float)))
    weights[np.arange(40), np.arange(40) * 25] = 0.0
    expected = np.add.reduceat(weights, np.arange(0, 1001, 128), axis=1)
    factor = np.float32(1.5 / np.log(2))
    for shifted in (False, True):
        masses, _ = _masses_of(scores, excluded, factor, shifted, np.empty(9000, np.float32), 40)
        assert masses.shifts.any() == shifted
        found = masses.masses * np.exp2(masses.shifts * factor, dtype=np.float64)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("first", [0, 1, 2**33 + 5])
@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_words_are_those_of_the_stream(first: int, count: int) -> None:
    from negsamp_numba.philox import below as our_below
    from negsamp_numba.philox import counter_base, words_of_draws

    stream = Stream(0xFEDCBA9876543210, 2**40 + 3)
    base = counter_base(stream, NEGATIVES)

    def fill(base: Any, first: int, high: Any, low: Any, integers: Any, bound: int) -> int:
        begin = words_of_draws(base, first, len(integers), high, low)
        for i in range(len(integers)):
            integers[i] = our_below(high[begin + i], low[begin + i], bound)
        return int(begin)

    high, low = np.empty(count + 2, np.uint64), np.empty(count + 2, np.uint64)
    integers, bound = np.empty(count, np.int64), 2**62 - 57
    begin = numba.njit(fill)(base, first, high, low, integers, bound)
    expected = stream.words(NEGATIVES, first + np.arange(count))
    np.testing.assert_array_equal(high[begin : begin + count], expected[0])
    np.testing.assert_array_equal(low[begin : begin + count], expected[1])
    exact = [below(int(h), int(w), bound) for h, w in zip(*expected, strict=True)]
    assert integers.tolist() == exact


def test_prefetching_takes_any_index_and_none() -> None:
    from negsamp_numba.prefetch import prefetch

    def read(array: Any, nothing: None, index: int) -> Any:
        prefetch(array, index)
        prefetch(nothing, index)
        return array[0]

    compiled_read = numba.njit(read)
    for index in (0, 2, -1, 10**15, -(10**15)):
        assert compiled_read(np.arange(5, 8), None, index) == 5
    (code,) = compiled_read.inspect_llvm().values()
    assert len(re.findall(r"call void @llvm\.prefetch", code)) == 1


# The draws of the reference, where the contract suite does not go.


@pytest.mark.parametrize("kind", ["uniform", "popularity"])
@pytest.mark.parametrize("replacement", [True, False])
def test_100_000_draws_by_weight_are_those_of_the_reference(kind: str, replacement: bool) -> None:
    counts = RANDOM.integers(0, 1000, 12_102)
    users, targets = RANDOM.integers(0, 300, 5000), RANDOM.integers(1, 12_102, 5000)
    seen = Interactions.from_sequences([RANDOM.integers(1, 12_102, n) for n in range(300)])
    shared: dict[str, Any] = {"interactions": seen, "replacement": replacement, "seed": 9}
    found = []
    for backend in ("numpy", "numba"):
        sampler = (
            Uniform(range(1, 12_102), 20, backend=backend, **shared)
            if kind == "uniform"
            else Popularity(counts, 0.75, range(1, 12_102), 20, backend=backend, **shared)
        )
        found.append(sampler.sample(targets, users=users))
    np.testing.assert_array_equal(found[0].item_ids, found[1].item_ids)
    np.testing.assert_array_equal(found[0].log_q, found[1].log_q)


@pytest.mark.parametrize("start", [0, 7, 2**31 - 1 - 300])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("replacement", [True, False])
def test_lists_that_overlap_and_ids_at_the_ends(start: int, dtype: Any, replacement: bool) -> None:
    """Lists about as long as is searched at once, of what a row excludes besides too, and more."""
    random = np.random.default_rng(6)
    items = range(start, start + 300)
    lengths = [0, 1, 31, 32, 33, 64, 65, 200, 240]
    lists = [start + random.choice(300, length, replace=False) for length in lengths]
    lists += [start + np.arange(100), start + np.arange(200, 300)]
    seen = Interactions.from_sequences([each.astype(dtype) for each in lists])
    users = random.integers(0, len(lists), 400)
    own = [int(random.choice(lists[user])) if len(lists[user]) else -1 for user in users]
    targets = start + random.integers(0, 300, 400)
    exclude = start + random.integers(0, 300, (400, 5))
    exclude[::2, 1:4], exclude[:, 4] = np.array([own, targets, -np.ones(400)]).T[::2], own
    ours, theirs = (
        Uniform(
            items, 40, interactions=seen, replacement=replacement, backend=name, seed=2**64 - 1
        ).sample(targets, users=users, exclude=exclude)
        for name in ("numba", "numpy")
    )
    np.testing.assert_array_equal(ours.item_ids, theirs.item_ids)
    np.testing.assert_allclose(ours.log_q, theirs.log_q, rtol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 1e2, 1e4])
@pytest.mark.parametrize("replacement", [True, False])
def test_large_scores_agree_with_the_reference(scale: float, replacement: bool) -> None:
    ours, theirs = (draws(name, scale, replacement=replacement) for name in ("numba", "numpy"))
    assert np.mean(ours == theirs) >= 0.995


@pytest.mark.parametrize("called", [False, True])
def test_an_alpha_near_the_largest_float_is_no_matter_of_warnings(called: bool) -> None:
    score: Any = DotProduct(QUERIES, EMBEDDINGS)
    score = score.__call__ if called else score
    near = [
        GenNi(ITEMS, alpha=1e38, backend=name).sample(TARGETS, score=score)
        for name in ("numpy", "numba")
    ]
    np.testing.assert_array_equal(near[0].item_ids, near[1].item_ids)


@pytest.mark.parametrize("num_negatives", [1, 20])
@pytest.mark.parametrize("items", [128, 129, 640, 641])
def test_widths_about_the_tile(
    monkeypatch: pytest.MonkeyPatch, items: int, num_negatives: int
) -> None:
    from negsamp_numba import NumbaBackend

    monkeypatch.setattr(NumbaBackend, "scores_per_tile", 10 * 256)
    queries, embeddings = QUERIES[:30], EMBEDDINGS[:items]
    found = [
        GenNi(items, num_negatives, alpha=0.5, backend=name).sample(
            np.zeros(30, np.int64), score=DotProduct(queries, embeddings)
        )
        for name in ("numpy", "numba")
    ]
    np.testing.assert_array_equal(found[0].item_ids, found[1].item_ids)
    np.testing.assert_allclose(found[0].log_q, found[1].log_q, atol=1e-5)


@pytest.mark.parametrize("num_negatives", [1, 64])
def test_many_negatives_come_from_scores_that_are_held(
    monkeypatch: pytest.MonkeyPatch, num_negatives: int
) -> None:
    from negsamp_numba import NumbaBackend
    from negsamp_numba.scores import SharedScores

    monkeypatch.setattr(NumbaBackend, "scores_per_tile", 20 * 1024)
    again: list[int] = []
    multiply = SharedScores.blocks

    def counted(self: Any, rows: Any, blocks: Any, out: Any) -> Any:
        again.append(len(rows))
        return multiply(self, rows, blocks, out)

    monkeypatch.setattr(SharedScores, "blocks", counted)
    sampler = GenNi(ITEMS, num_negatives, backend="numba")
    sampler.sample(TARGETS, score=DotProduct(QUERIES, EMBEDDINGS))
    assert sum(again) == (len(TARGETS) if num_negatives == 1 else 0)


@pytest.mark.parametrize("replacement", [True, False])
def test_what_a_row_draws_from_one_block_is_scored_once(
    monkeypatch: pytest.MonkeyPatch, replacement: bool
) -> None:
    from negsamp_numba import NumbaBackend
    from negsamp_numba.scores import SharedScores

    monkeypatch.setattr(NumbaBackend, "scores_per_tile", 1)
    wanted: list[Any] = []
    multiply = SharedScores.blocks

    def noted(self: Any, rows: Any, blocks: Any, out: Any) -> Any:
        wanted.append(list(zip(rows.tolist(), blocks.tolist(), strict=True)))
        return multiply(self, rows, blocks, out)

    monkeypatch.setattr(SharedScores, "blocks", noted)
    sampler = GenNi(ITEMS, 40, replacement=replacement, backend="numba")
    drawn = sampler.sample(TARGETS[:1], score=DotProduct(QUERIES[:1], EMBEDDINGS)).item_ids
    blocks = (drawn.reshape(-1) - ITEMS.start) // 128
    once = np.unique(blocks) if replacement else blocks
    assert sorted(block for call in wanted for _, block in call) == sorted(once.tolist())


@pytest.mark.parametrize("candidates", ["batch", "query"])
@pytest.mark.parametrize("dtype", [np.float16, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_embeddings_of_other_types_and_layouts(dtype: Any, candidates: Any, order: Any) -> None:
    def draw(queries: Any, embeddings: Any, beta: float) -> Any:
        sampler = GenNi(ITEMS, 3, beta=beta, candidates=candidates, backend="numba")
        return sampler.sample(TARGETS, score=DotProduct(queries, embeddings)).item_ids

    queries, embeddings = QUERIES.astype(dtype), np.asarray(EMBEDDINGS, dtype, order=order)
    queries.flags.writeable = embeddings.flags.writeable = False
    for beta in (1.0, 0.3):
        wide = draw(queries.astype(np.float32), embeddings.astype(np.float32, order="C"), beta)
        assert np.mean(draw(queries, embeddings, beta) == wide) >= 0.999


# Threads, forks, BLAS, cache.


def blas() -> list[int]:
    """Return how many threads each BLAS would use now."""
    from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


def test_threads_change_no_draw() -> None:
    code = (
        "import json, sys; from tests.samplers.test_numba import draws;"
        "print(json.dumps([draws().tolist(), draws(beta=0.2).tolist()]))"
    )
    found = []
    for threads in ("1", "2", "5"):
        environment = os.environ | {"NUMBA_NUM_THREADS": threads}
        child = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(json.loads(child.stdout))
    assert found[0] == found[1] == found[2]
    assert found[0] == [draws().tolist(), draws(beta=0.2).tolist()]


def test_python_threads_may_sample_side_by_side() -> None:
    expected = draws()
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: draws(), range(24)):
            np.testing.assert_array_equal(found, expected)


def test_a_callable_has_the_blas_as_its_user_left_it() -> None:
    from threadpoolctl import threadpool_limits

    seen = []

    def score(item_ids: Any) -> Any:
        seen.append(blas())
        return QUERIES @ EMBEDDINGS[item_ids].T

    with threadpool_limits(2, user_api="blas"):
        GenNi(ITEMS, backend="numba").sample(TARGETS, score=score)
    assert {count for counts in seen for count in counts} == {2}


def test_the_limits_of_the_blas_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from threadpoolctl import threadpool_limits

    from negsamp_numba import by_score

    seen: list[int] = []
    sum_blocks = by_score._sum_blocks

    def sum_blocks_and_look(*arguments: Any) -> None:
        seen.extend(blas())
        sum_blocks(*arguments)

    monkeypatch.setattr(by_score, "_sum_blocks", sum_blocks_and_look)
    with threadpool_limits(2, user_api="blas"):
        draws()
        assert set(blas()) == {2}
        with pytest.raises(InvalidScoresError):
            draws(scale=np.nan)
        assert set(blas()) == {2}
    assert set(seen) == {1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_process_samples_on() -> None:
    expected = draws()  # the pool and the BLAS are in use
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        same = np.array_equal(draws(), expected)
        os.write(writing, b"same" if same else b"different")
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    assert answer == b"same"


def test_a_first_call_says_that_it_compiles_and_the_next_process_does_not(tmp_path: Path) -> None:
    code = (
        "import logging; logging.basicConfig(level='INFO');"
        "from negsamp import Uniform; Uniform(9, backend='numba').sample([1, 2])"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stderr
        for _ in range(2)
    ]
    assert "INFO:negsamp:compiling negsamp_numba.by_weight._draw_rows" in said[0]
    assert str(tmp_path) in said[0]
    assert "compiling" not in said[1]


def test_a_change_anywhere_in_the_package_compiles_anew(tmp_path: Path) -> None:
    """Kernels hold the code of what they call in other files."""
    import negsamp_numba

    folder = tmp_path / "negsamp_numba"
    shutil.copytree(
        Path(negsamp_numba.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__")
    )
    code = (
        f"import logging, sys; sys.path.insert(0, {str(tmp_path)!r});"
        "logging.basicConfig(level='INFO');"
        "from negsamp import Uniform; Uniform(9, backend='numba').sample([1, 2])"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def compiles() -> bool:
        command = [sys.executable, "-c", code]
        child = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
        )
        return "compiling negsamp_numba.by_weight._draw_rows" in child.stderr

    assert compiles()
    assert not compiles()
    part = folder / "search.py"
    part.write_text(part.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    assert compiles()


# Who is given these kernels.


def test_auto_takes_numba_for_arrays_in_main_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEGSAMP_BACKEND", raising=False)
    assert resolve_name("auto", TARGETS, None, [1, 2]) == "numba"
    assert resolve_name("numpy", TARGETS) == "numpy"
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    assert resolve_name("auto", torch.zeros(2), TARGETS) == "numba"
    assert resolve_name("auto", torch.zeros(2, device="meta"), TARGETS) == "torch"
    monkeypatch.setenv("NEGSAMP_BACKEND", "numpy")
    assert resolve_name("auto", TARGETS) == "numpy"


def test_auto_does_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    from negsamp.backend import discovery

    monkeypatch.delenv("NEGSAMP_BACKEND", raising=False)
    monkeypatch.setattr(discovery, "_is_compiled", lambda: False)
    assert resolve_name("auto", TARGETS) == "numpy"


def test_tensors_are_not_copied() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from negsamp_numba import arrays

    for dtype in (torch.float32, torch.float64, torch.int64):
        tensor = torch.zeros(5, dtype=dtype)
        arrays.to_numpy(tensor)[3] = 7
        assert tensor[3] == 7
    half = torch.ones(5, dtype=torch.bfloat16)
    arrays.bits_of(half)[:] = 0
    assert not half.any()
    back = arrays.to_framework_of(half, values := np.zeros(3))
    values[1] = 2.0
    assert back[1] == 2.0
