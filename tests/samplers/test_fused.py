"""The kernels in Triton: run here by its interpreter, and compiled for GPUs that are not here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from negsamp import (
    DotProduct,
    GenNi,
    Interactions,
    InvalidScoresError,
    Negatives,
    NegSampWarning,
    Popularity,
    Uniform,
)
from negsamp.stream import CANDIDATES, NEGATIVES, Stream
from tests.samplers.cases import Case, cases
from tests.samplers.conftest import numpy_adapter, torch_adapter

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
triton = pytest.importorskip("triton", reason="Triton is not installed")

import triton.language as tl  # noqa: E402

from negsamp_torch.fused.counter import counter_of  # noqa: E402 - needs Triton
from negsamp_torch.fused.kernels.words import words  # noqa: E402

RANDOM = np.random.default_rng(3)
NUM_ITEMS, NUM_ROWS = 300, 6
TARGETS = RANDOM.integers(1, NUM_ITEMS, NUM_ROWS)
USERS = RANDOM.integers(0, 5, NUM_ROWS)
INTERACTIONS = Interactions.from_sequences(
    [RANDOM.integers(1, NUM_ITEMS, size) for size in (0, 1, 9, 40, 100)]
)


@triton.jit  # type: ignore[untyped-decorator]
def write_words(out: Any, counter: Any, draws: Any, use: tl.constexpr) -> None:
    """Write down the words of eight draws."""
    lane = tl.arange(0, 8)
    first, second = words(counter, use, tl.load(draws + lane))
    tl.store(out + lane, first)
    tl.store(out + 8 + lane, second)


@pytest.fixture(autouse=True)
def fused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the kernels draw."""
    monkeypatch.setattr("negsamp_torch.TorchBackend.fused", True)


def drawn(
    backend: str, dim: int = 16, scale: float = 1.0, dtype: Any = torch.float32, **changes: Any
) -> Negatives:
    """Draw by GenNi with everything that a row may exclude."""
    random = np.random.default_rng(dim)
    queries = torch.tensor(
        random.normal(size=(NUM_ROWS, dim)) * scale, dtype=dtype or torch.float32
    )
    items = torch.tensor(random.normal(size=(NUM_ITEMS, dim)), dtype=dtype or torch.float32)
    arguments: dict[str, Any] = {
        "targets": torch.tensor(TARGETS),
        "users": torch.tensor(USERS),
        "mask": torch.arange(NUM_ROWS) % 5 != 2,
        "exclude": torch.stack([torch.tensor(TARGETS) % 50 + 1, torch.full((NUM_ROWS,), -1)], 1),
    }
    sampler = GenNi(
        range(1, NUM_ITEMS),
        3,
        interactions=INTERACTIONS,
        backend=backend,
        **{"alpha": 1.5} | changes,
    )
    if backend == "torch":
        return sampler.sample(score=DotProduct(queries, items), **arguments)
    queries, items = queries.float(), items.float()
    numbers = {name: np.asarray(value) for name, value in arguments.items()}
    found = sampler.sample(score=DotProduct(queries.numpy(), items.numpy()), **numbers)
    return Negatives(torch.tensor(found.item_ids), torch.tensor(found.log_q))


def assert_same(ours: Negatives, theirs: Negatives) -> None:
    np.testing.assert_array_equal(ours.item_ids, theirs.item_ids)
    np.testing.assert_allclose(ours.log_q, theirs.log_q, rtol=1e-4, atol=1e-3)


@settings(max_examples=12)
@given(case=cases(scales=(0.0, 0.5, 3.0)))
def test_any_call_draws_what_the_reference_draws(case: Case) -> None:
    torch_arrays, numpy_arrays = torch_adapter(), numpy_adapter()
    ours = case.sampler("torch").sample(**case.arguments(torch_arrays.array))
    theirs = case.sampler("numpy").sample(**case.arguments(numpy_arrays.array))
    np.testing.assert_array_equal(ours.item_ids, theirs.item_ids)
    np.testing.assert_allclose(ours.log_q, theirs.log_q, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("replacement", [True, False])
@pytest.mark.parametrize(
    ("beta", "candidates"), [(1.0, "batch"), (0.6, "batch"), (0.2, "query"), (0.8, "query")]
)
def test_everything_a_row_may_exclude(beta: float, candidates: Any, replacement: bool) -> None:
    changes = {"beta": beta, "candidates": candidates, "replacement": replacement}
    assert_same(drawn("torch", **changes), drawn("numpy", **changes))


@pytest.mark.parametrize(
    ("dim", "dtype"),
    [(1, torch.float32), (100, torch.bfloat16), (17, torch.float16), (256, torch.float32)],
)
def test_sizes_and_dtypes_of_embeddings(dim: int, dtype: Any) -> None:
    scale = dim**-0.5
    assert_same(drawn("torch", dim, scale, dtype), drawn("numpy", dim, scale, dtype))


@pytest.mark.parametrize("scale", [30.0, 1e4])
@pytest.mark.parametrize("replacement", [True, False])
def test_scores_that_overflow_without_a_shift(scale: float, replacement: bool) -> None:
    ours = drawn("torch", scale=scale, replacement=replacement)
    theirs = drawn("numpy", scale=scale, replacement=replacement)
    np.testing.assert_array_equal(ours.item_ids, theirs.item_ids)
    np.testing.assert_allclose(ours.log_q, theirs.log_q, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_the_default_dtype_changes_no_draw(beta: float) -> None:
    plain = drawn("torch", beta=beta)
    torch.set_default_dtype(torch.bfloat16)
    try:
        other = drawn("torch", beta=beta)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(plain.item_ids, other.item_ids)
    assert torch.equal(plain.log_q, other.log_q)


@pytest.mark.parametrize("candidates", ["batch", "query"])
def test_chunks_do_not_change_draws(candidates: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drawn("torch", beta=0.1, candidates=candidates)
    monkeypatch.setattr("negsamp_torch.TorchBackend.bytes_per_chunk", 100)
    monkeypatch.setattr("negsamp_torch.fused.by_score.LEAST_ROWS", 1)
    monkeypatch.setattr("negsamp_torch.fused.by_score.EXCLUDED_EACH", 3)
    cut = drawn("torch", beta=0.1, candidates=candidates)
    assert torch.equal(whole.item_ids, cut.item_ids)
    torch.testing.assert_close(whole.log_q, cut.log_q)


@pytest.mark.parametrize("replacement", [True, False])
def test_weights_and_ids_beyond_float32(replacement: bool) -> None:
    start = 2**24 + 1
    counts = np.zeros(start + 3000, np.int64)
    counts[start:] = np.arange(3000) ** 3
    targets = start + RANDOM.integers(0, 3000, 200)
    sequences = [start + RANDOM.integers(0, 3000, 30) for _ in range(4)]
    changes: dict[str, Any] = {
        "gamma": 1.0,
        "items": range(start, start + 3000),
        "num_negatives": 20,
        "interactions": Interactions.from_sequences(sequences),
        "replacement": replacement,
    }
    users = np.arange(200) % 4
    theirs = Popularity(counts, **changes).sample(targets, users=users)
    ours = Popularity(counts, **changes, backend="torch").sample(
        torch.tensor(targets), users=torch.tensor(users)
    )
    np.testing.assert_array_equal(ours.item_ids, theirs.item_ids)
    np.testing.assert_allclose(ours.log_q, theirs.log_q, rtol=1e-6)


def block_masses(items: Any, queries: Any, excluded: list[int], exclude: Any, kernels: Any) -> Any:
    """Return log2 of the block masses that a draw is made from, of rows without a user."""
    found = []
    kernel = kernels.draw

    class Spy:
        def __getitem__(self, grid: Any) -> Any:
            def launch(**arguments: Any) -> None:
                masses = arguments["shifts"] + arguments["sums"].log2()
                found.append(masses[: len(queries)])
                kernel[grid](**arguments)

            return launch

    kernels.draw = Spy()
    try:
        GenNi(len(items), alpha=2.0, backend="torch").sample(
            torch.tensor(excluded), score=DotProduct(queries, items), exclude=exclude
        )
    finally:
        kernels.draw = kernel
    return found[0]


@pytest.mark.parametrize(
    ("in_first_pass", "broken"),
    [(True, False), (False, False), (True, True), (False, True)],
    ids=["target alone", "and more", "target alone, broken twin", "and more, broken twin"],
)
def test_masses_are_exact_without_what_is_excluded(
    in_first_pass: bool, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target has nearly all the mass: subtracting it from the sum would leave nothing right."""
    from negsamp_torch.fused import by_score as kernels

    if broken and in_first_pass:
        monkeypatch.setattr(kernels, "_one_excluded", lambda _: False)
    if broken:
        monkeypatch.setattr(kernels, "exclude", {(2, 1): lambda **_: None})
    generator = torch.Generator().manual_seed(0)
    queries, items = (
        torch.randn(2, 8, generator=generator),
        torch.randn(300, 8, generator=generator),
    )
    items[130] = 8 * queries[0]
    scores = 2.0 / np.log(2) * (queries.double() @ items.double().T)
    scores[[0, 1], [130, 299]] = -torch.inf
    exclude = None
    if not in_first_pass:
        scores[:, 5] = -torch.inf
        exclude = torch.full((2, 1), 5)
    exact = torch.stack([part.exp2().sum(1).log2() for part in scores.split(128, 1)], 1)
    found = block_masses(items, queries, [130, 299], exclude, kernels)
    close = torch.isclose(found.double(), exact, atol=1e-5)
    assert bool(close.all()) != broken


def test_words_are_those_of_the_stream() -> None:
    draws = torch.tensor([0, 1, 2, 3, 7, 2**33 - 1, 2**33, 2**62 + 1])
    for key in (0, 12345, 2**64 - 1):
        for call in (0, 2**32 + 3, 2**56 - 1):
            for use in (NEGATIVES, CANDIDATES):
                out = torch.zeros(16, dtype=torch.int64)
                write_words[(1,)](out, counter_of(Stream(key, call), draws.device), draws, use)
                expected = Stream(key, call).words(use, draws)
                assert torch.equal(out, torch.cat(expected))


def test_bad_scores_name_their_row() -> None:
    queries, items = torch.ones(3, 4), torch.ones(300, 4)
    queries[2] = torch.nan
    sampler = GenNi(300, alpha=1.0, backend="torch")
    with pytest.raises(InvalidScoresError, match="row 2"):
        sampler.sample(torch.tensor([1, 2, 3]), score=DotProduct(queries, items))
    items[7] = torch.nan  # which nothing may draw
    fine = sampler.sample(torch.tensor([7, 7]), score=DotProduct(queries[:2], items))
    assert (fine.item_ids != 7).all()


def test_without_triton_the_eager_kernels_draw_and_say_so_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from negsamp_torch import fused

    monkeypatch.setattr(fused, "find_spec", lambda _: None)
    fused._has_triton.cache_clear()
    with pytest.warns(NegSampWarning, match="Triton is not installed"):
        assert not fused.works_on(torch.device("cuda"))
    assert not fused.works_on(torch.device("cuda"))  # a second warning would be an error
    fused._has_triton.cache_clear()


def test_where_no_kernel_can_be_made_the_eager_ones_draw_and_say_so_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from negsamp_torch import fused

    def no_compiler(*_: Any, **__: Any) -> None:
        raise RuntimeError("Failed to find C compiler\n  at all")

    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: (9, 0))
    monkeypatch.setattr(fused, "launching_on", no_compiler)
    fused._is_able.cache_clear()
    with pytest.warns(NegSampWarning, match=r"RuntimeError: Failed to find C compiler\), so"):
        assert not fused.works_on(torch.device("cuda", 0))
    assert not fused.works_on(torch.device("cuda", 0))  # a second warning would be an error
    fused._is_able.cache_clear()


def test_a_capture_says_nothing_of_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """No kernel can be loaded in one; what that told would be remembered for good."""
    from negsamp_torch import fused

    tried: list[Any] = []

    def note(device: Any) -> bool:
        tried.append(device)
        return True

    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: (9, 0))
    monkeypatch.setattr(fused, "_can_compile", note)
    fused._is_able.cache_clear()
    with monkeypatch.context() as patches:
        patches.setattr("torch.cuda.is_initialized", lambda: True)
        patches.setattr("torch.cuda.is_current_stream_capturing", lambda: True)
        assert fused.works_on(torch.device("cuda", 0))
    assert not tried
    assert fused.works_on(torch.device("cuda", 0))
    assert tried == [torch.device("cuda", 0)]
    fused._is_able.cache_clear()


def test_want_of_memory_says_nothing_of_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    from negsamp_torch import fused

    def no_memory(*_: Any) -> None:
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: (9, 0))
    monkeypatch.setattr(fused, "launching_on", no_memory)
    fused._is_able.cache_clear()
    for _ in range(2):  # it is asked again
        with pytest.raises(torch.OutOfMemoryError):
            fused.works_on(torch.device("cuda", 0))


def test_kernels_are_launched_on_the_device_of_the_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    from negsamp_torch import fused

    chosen: list[Any] = []

    def note(device: Any) -> AbstractContextManager[None]:
        chosen.append(device)
        return nullcontext()

    monkeypatch.setattr("torch.cuda.device", note)
    with fused.launching_on(torch.device("cuda", 1)), fused.launching_on(torch.device("cpu")):
        assert chosen == [torch.device("cuda", 1)]
    chosen.clear()
    monkeypatch.setattr(fused, "launching_on", note)
    drawn("torch")
    Uniform(9, backend="torch").sample(torch.tensor([3]))
    assert chosen == [torch.device("cpu")] * 2


@pytest.mark.parametrize("setting", ["old", "new", "all"])
def test_both_settings_of_tf32_are_followed(setting: str) -> None:
    """PyTorch refuses to read the older setting once the newer one is used."""
    use = {
        "old": "torch.backends.cuda.matmul.allow_tf32 = True",
        "new": "torch.backends.cuda.matmul.fp32_precision = 'tf32'",
        "all": "torch.backends.fp32_precision = 'tf32'",
    }
    script = f"""
import torch
from negsamp_torch.fused.by_score import _may_be_tf32
assert not _may_be_tf32()
{use[setting]}
assert _may_be_tf32()
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    ("queries", "items"),
    [
        ("float32", "bfloat16"),
        ("bfloat16", "float32"),
        ("float16", "bfloat16"),
        ("float64", "float64"),
    ],
)
def test_tables_of_other_dtypes_are_multiplied_as_they_are(queries: str, items: str) -> None:
    from negsamp_torch.fused import by_score

    random = torch.Generator().manual_seed(3)
    made = [
        torch.randn(size, 20, generator=random).to(getattr(torch, dtype))
        for size, dtype in ((NUM_ROWS, queries), (NUM_ITEMS, items))
    ]
    product, table = by_score._for_product(*made)
    assert product.dtype == torch.float32
    assert table.data_ptr() == made[1].data_ptr()
    ours = GenNi(NUM_ITEMS, 5, backend="torch").sample(
        torch.tensor(TARGETS), score=DotProduct(*made)
    )
    theirs = GenNi(NUM_ITEMS, 5, backend="numpy").sample(
        TARGETS, score=DotProduct(*(each.float().numpy() for each in made))
    )
    np.testing.assert_array_equal(ours.item_ids, theirs.item_ids)
    np.testing.assert_allclose(ours.log_q, theirs.log_q, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("candidates", ["batch", "query"])
def test_tables_whose_lines_are_apart_are_not_copied(candidates: Any) -> None:
    from negsamp_torch.fused import by_score

    random = torch.Generator().manual_seed(3)
    wide = torch.randn((NUM_ITEMS, 40), generator=random)
    queries, table = torch.randn((NUM_ROWS, 17), generator=random), wide[:, 3:20]
    assert by_score._for_product(queries, table)[1].data_ptr() == table.data_ptr()
    sampler = GenNi(NUM_ITEMS, 3, beta=0.5, candidates=candidates, backend="torch")
    state, found = sampler.state_dict(), []
    for items in (table.contiguous(), table, table.T.contiguous().T):
        sampler.load_state_dict(state)
        given = torch.tensor(TARGETS)
        found.append(
            sampler.sample(given, score=DotProduct(queries, items), exclude=given[:, None])
        )
    for other in found[1:]:
        assert torch.equal(other.item_ids, found[0].item_ids)
        assert torch.equal(other.log_q, found[0].log_q)


@pytest.mark.skipif(sys.platform != "linux", reason="Triton compiles on Linux alone")
def test_kernels_compile_for_gpus(tmp_path: Path) -> None:
    """Within the shared memory that a block has, scores in registers, products on tensor cores."""
    script = Path(__file__).with_name("compile_kernels.py")
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(script), "80", "90", "120"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == 60
    alone = {"sm_90, first pass, bfloat16, short", "sm_120, first pass, bfloat16, long"}
    spills = {"bfloat16, candidates": 90, "float32": 120, "float64 table": 120}
    spilling = {f"sm_{arch}, first pass, {name}" for name, arch in spills.items()}
    with_count = ("first pass", "exclusions", "own candidates", "draws")
    for name, usage in found.items():
        assert usage["any_alignment"] == ["count"] * any(each in name for each in with_count), name
        assert usage["shared"] <= 99 * 1024, name  # what every device since sm_80 has
        if "first pass" in name:
            assert usage["tensor"] > 0, name
            assert usage["stack"] <= (32 if name in spilling else 0), name
        if "float16" in name and name not in alone:
            assert usage["registers"] <= 128, name  # two programs of 256 threads share 65,536
