"""What only tensors have: gradients, devices, autocast, bfloat16."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from negsamp import DotProduct, GenNi, InvalidInputError, InvalidScoresError, LossDriven, Negatives
from negsamp.blocks import BLOCK

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from negsamp_torch.scores import (  # noqa: E402
    WINDOWS,
    CalledScores,
    OwnScores,
    SharedScores,
    Table,
)


@pytest.fixture(autouse=True, params=["torch", "numba"])
def backend_of_tensors(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make "auto" stand for each backend that takes tensors on the CPU."""
    name: str = request.param
    pytest.importorskip(name, reason=f"{name} is not installed")
    monkeypatch.setenv("NEGSAMP_BACKEND", name)
    return name


def inputs(dtype: Any = torch.float32) -> tuple[Any, Any, Any]:
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(40, 16, generator=generator).to(dtype)
    embeddings = torch.randn(1001, 16, generator=generator).to(dtype)
    return torch.randint(1, 1001, (40,), generator=generator), queries, embeddings


def draw(targets: Any, queries: Any, embeddings: Any, **changes: Any) -> Negatives:
    sampler = GenNi(range(1, 1001), 5, alpha=1.0, seed=3, **changes)
    return sampler.sample(targets, score=DotProduct(queries, embeddings))


def test_no_gradient_flows_and_no_graph_is_kept() -> None:
    targets, queries, embeddings = inputs()
    queries.requires_grad_()
    embeddings.requires_grad_()
    negatives = draw(targets, queries, embeddings)
    assert not negatives.log_q.requires_grad
    called = GenNi(range(1, 1001), alpha=1.0).sample(
        targets, score=lambda ids: queries @ embeddings[ids].T
    )
    assert not called.log_q.requires_grad


def test_what_the_reference_cannot_read_of_a_callable_is_told() -> None:
    _, queries, embeddings = inputs()
    sampler = GenNi(range(1, 1001), backend="numpy")
    for table in (embeddings.requires_grad_(), embeddings.bfloat16().detach()):
        score = lambda ids, table=table: queries.to(table.dtype) @ table[ids].T  # noqa: E731
        for ask in (sampler.sample, sampler.probabilities):
            with pytest.raises(InvalidInputError, match="cannot make an array of a Tensor: "):
                ask(np.arange(1, 41), score=score)


def test_a_layer_is_no_table_but_has_one() -> None:
    targets, queries, _ = inputs()
    with pytest.raises(InvalidInputError, match=r"got Embedding; pass its \.weight$"):
        draw(targets, queries, torch.nn.Embedding(1001, 16))


@pytest.mark.parametrize("beta", [1.0, 0.2])
def test_autocast_changes_no_draw(beta: float) -> None:
    plain = draw(*inputs(), beta=beta)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = draw(*inputs(), beta=beta)
    assert torch.equal(plain.item_ids, cast.item_ids)
    assert torch.equal(plain.log_q, cast.log_q)


def test_a_callable_is_asked_as_autocast_has_it() -> None:
    """A model in autocast has queries in bfloat16 and weights in float32."""
    targets, queries, embeddings = inputs()
    weights = torch.nn.Linear(16, 16, bias=False)
    sampler = GenNi(range(1, 1001), 5, alpha=1.0, seed=3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        encoded = weights(queries)
        called = sampler.sample(targets, score=lambda ids: encoded @ embeddings[ids].T)
    expected = draw(targets, encoded.float(), embeddings)
    assert float((called.item_ids == expected.item_ids).float().mean()) > 0.9  # rounded scores


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
@pytest.mark.parametrize("changes", [{}, {"beta": 0.2}, {"beta": 0.2, "candidates": "query"}])
def test_the_default_dtype_changes_no_draw(dtype: Any, changes: dict[str, Any]) -> None:
    targets, queries, embeddings = inputs()

    def both() -> list[Negatives]:
        drawn = [draw(targets, queries, embeddings, **changes)]
        if "candidates" not in changes:
            sampler = GenNi(range(1, 1001), 5, alpha=1.0, seed=3, **changes)
            drawn.append(sampler.sample(targets, score=lambda ids: queries @ embeddings[ids].T))
        return drawn

    plain = both()
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        other = both()
    finally:
        torch.set_default_dtype(default)
    for one, two in zip(plain, other, strict=True):
        assert torch.equal(one.item_ids, two.item_ids)
        assert torch.equal(one.log_q, two.log_q)


def test_a_model_may_change_the_ids_it_is_asked_for() -> None:
    targets, queries, embeddings = inputs()

    def by_line(ids: Any) -> Any:
        ids -= 1
        return queries @ embeddings[1:][ids].T

    called = GenNi(range(1, 1001), 5, alpha=1.0, seed=3).sample(targets, score=by_line)
    assert torch.equal(called.item_ids, draw(targets, queries, embeddings).item_ids)


@pytest.mark.parametrize("candidates", ["batch", "query"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_scores_are_float32_whatever_comes(dtype: Any, candidates: Any) -> None:
    targets, queries, embeddings = inputs(dtype)
    changes = {"beta": 0.3, "candidates": candidates}
    given = draw(targets, queries, embeddings, **changes)
    wide = draw(targets, queries.float(), embeddings.float(), **changes)
    assert torch.equal(given.item_ids, wide.item_ids)


def test_strided_tensors() -> None:
    targets, queries, embeddings = inputs()
    strided = draw(
        targets.repeat_interleave(2)[::2],
        queries.T.contiguous().T,
        embeddings.repeat_interleave(2, dim=1)[:, ::2],
    )
    assert torch.equal(strided.item_ids, draw(targets, queries, embeddings).item_ids)


def test_numpy_targets_go_along_with_tensors() -> None:
    targets, queries, embeddings = inputs()
    mixed = draw(targets.numpy(), queries, embeddings)
    assert torch.equal(mixed.item_ids, draw(targets, queries, embeddings).item_ids)
    frozen = targets.numpy().copy()
    frozen.flags.writeable = False
    assert torch.equal(mixed.item_ids, draw(frozen, queries, embeddings).item_ids)


def as_if_on(name: str, tensor: Any) -> Any:
    """Return a tensor that says to be on a device which is not here."""
    return tensor.as_subclass(type("Elsewhere", (torch.Tensor,), {"device": torch.device(name)}))


def test_one_call_one_device(backend_of_tensors: str) -> None:
    targets, queries, embeddings = inputs()
    message = {
        "torch": "on different devices in one call: ",
        "numba": "takes tensors on the CPU; got one on cuda",
    }[backend_of_tensors]
    with pytest.raises(InvalidInputError, match=message):
        draw(as_if_on("cuda", targets), queries, embeddings)
    with pytest.raises(InvalidInputError, match=message):
        draw(targets, queries, as_if_on("cuda", embeddings))


def test_what_has_no_float64_is_refused() -> None:
    targets, queries, embeddings = (as_if_on("mps", each) for each in inputs())
    with pytest.raises(InvalidInputError, match=r"needs float64, which MPS lacks; .* to the CPU"):
        draw(targets, queries, embeddings, backend="torch")


def test_ragged_lists_are_no_targets() -> None:
    _, queries, embeddings = inputs()
    with pytest.raises(InvalidInputError, match="cannot make an array of a list"):
        draw([[1, 2], [3]], queries, embeddings)


def test_large_scores_take_the_shifted_path_and_agree_with_numpy() -> None:
    """Exponents far beyond float32: no overflow, the same draws, a finite log_q."""
    targets, queries, embeddings = inputs()
    for scale in (1.0, 1e2, 1e4):
        ours = draw(targets, queries * scale, embeddings)
        arrays = targets.numpy(), (queries * scale).numpy(), embeddings.numpy()
        theirs = draw(*arrays, backend="numpy")
        assert np.mean(ours.item_ids.numpy() == theirs.item_ids) >= 0.995
        assert bool(ours.log_q.isfinite().all())
        assert bool((ours.log_q <= 0).all())


def test_a_product_with_alpha_that_overflows_is_told_of(backend_of_tensors: str) -> None:
    """Numba, as the reference, shifts before it multiplies, and draws."""

    def score(ids: Any) -> Any:
        return torch.where(ids == 3, 2e38, 0.0)[None, :]

    targets, sampler = torch.tensor([1]), GenNi(10, alpha=4.0)
    assert GenNi(10, alpha=1.0).sample(targets, score=score).item_ids.tolist() == [[3]]
    if backend_of_tensors == "numba":
        assert sampler.sample(targets, score=score).item_ids.tolist() == [[3]]
    else:
        with pytest.raises(InvalidScoresError, match="overflows float32 when multiplied by alpha"):
            sampler.sample(targets, score=score)


def test_a_loss_that_still_has_its_graph_is_read_as_it_is() -> None:
    sampler = GenNi(range(1, 101), alpha=LossDriven(initial=1.0, step=0.25))
    weight = torch.ones((), requires_grad=True)
    for factor in (3.0, 2.0):
        sampler.update(weight * factor)
    assert sampler.alpha == 1.25


def test_many_draws_of_few_rows_are_made_together() -> None:
    queries, items = torch.randn(2, 4), torch.randn(300, 4)
    rows, numbers = torch.arange(WINDOWS + 9) % 2, torch.arange(2)
    table, places = Table.of(items), torch.arange(300).repeat(2, 1)
    for scores in (
        SharedScores(queries, table),
        OwnScores(queries, table, places),
        CalledScores(lambda ids: queries @ items[ids].T, places[0], numbers, 2),
    ):
        turns = [some for some, _ in scores.windows(rows, rows * BLOCK)]
        assert [len(some) for some in turns] == [WINDOWS, 9]
        assert torch.equal(torch.cat(turns).sort().values, torch.arange(WINDOWS + 9))


@pytest.mark.parametrize(("num_negatives", "again"), [(1, 40), (64, 0)])
def test_many_negatives_come_from_scores_that_are_held(
    num_negatives: int, again: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from negsamp_torch import TorchBackend

    asked: list[int] = []
    windows = SharedScores.windows

    def counted(self: SharedScores, row: Any, first: Any) -> Any:
        asked.append(len(row))
        return windows(self, row, first)

    monkeypatch.setattr(TorchBackend, "scores_per_tile", 20 * 1024)
    monkeypatch.setattr(SharedScores, "windows", counted)
    targets, queries, embeddings = inputs()
    sampler = GenNi(range(1, 1001), num_negatives, backend="torch")
    sampler.sample(targets, score=DotProduct(queries, embeddings))
    assert sum(asked) == again
