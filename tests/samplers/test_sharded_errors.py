"""What goes wrong on one process of several: all raise, in the same call, and can go on."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from negsamp import GenNi, InvalidInputError
from negsamp.stream import Stream
from tests.samplers.ranks import (
    NUM_ITEMS,
    NUM_ROWS,
    QUERY_TENSOR,
    TABLE_TENSOR,
    distances,
    draw,
    law,
    message_of,
    on_ranks,
    one_device,
    own_distances,
    own_lines,
    said,
    sampler_of,
    tensors,
    write,
)

torch = pytest.importorskip("torch")

from negsamp_torch import ShardedDotProduct, ShardedScorer, TorchBackend  # noqa: E402
from negsamp_torch.scores import Table  # noqa: E402
from negsamp_torch.sharded import agreement  # noqa: E402
from negsamp_torch.sharded.columns import Columns  # noqa: E402
from negsamp_torch.sharded.masses import PARTS, Masses  # noqa: E402

# What each process does.


def differ(rank: int, world: int, folder: Path) -> None:
    """Call with what the other rank has otherwise."""
    lines, queries, rows = own_lines(rank, world), QUERY_TENSOR, slice(0, NUM_ROWS - 20 * rank)
    whole, called = ShardedDotProduct(queries, lines), own_distances(rank, world)
    other = (range(501, NUM_ITEMS + 1), range(501))[rank]

    def over(lines: Any, **more: Any) -> ShardedDotProduct:
        return ShardedDotProduct(queries, lines, **more)

    # The sums of (id + 1) * (row + 1) are the same on both.
    mask = torch.zeros(NUM_ROWS, dtype=torch.bool)
    mask[[[0, 1, 4, 5], [1, 2, 3, 5]][rank]] = True
    alike = {"targets": torch.full((NUM_ROWS,), 7), "users": torch.zeros(NUM_ROWS).long()}
    exclude = torch.full((NUM_ROWS, 1), -1)
    exclude[:2, 0] = torch.tensor([[10, 20], [12, 19]][rank])
    messages = {
        "seed": draw(whole, seed=rank),
        "split": draw(over(lines, split=bool(rank))),
        "alpha": draw(whole, alpha=4e-7 * rank),
        "low alpha": draw(whole, alpha=1e-7 + 3e-7 * rank),
        "rows": draw(ShardedDotProduct(queries[rows], lines), rows),
        "mask": draw(called, given=alike | {"mask": mask}),
        "exclusions": draw(called, given={"exclude": exclude, "mask": None}),
        "order of exclusions": draw(
            called, given={"exclude": torch.arange(1, NUM_ROWS + 1).roll(rank)[:, None]}
        ),
        "candidates": draw(whole, beta=0.5, candidates=("batch", "query")[rank]),
        "queries": draw(ShardedDotProduct(queries.roll(rank), lines)),
        "length": draw(ShardedDotProduct(queries * (1 + rank), lines)),
        "dtype": draw(over(lines.bfloat16() if rank else lines)),
        "dtype of queries": draw(
            ShardedDotProduct(queries.bfloat16() if rank else queries, lines, split=True)
        ),
        "kind": draw(called if rank else whole),
        "lines": draw(over(lines[rank:])),
        "overlap": draw(over(TABLE_TENSOR[:600] if rank == 0 else TABLE_TENSOR[500:])),
        "order": draw(over(TABLE_TENSOR[other.start : other.stop], item_ids=other)),
        "gap": draw(ShardedScorer(distances, range(1 + 500 * rank, 500 + 500 * rank))),
        "law, seed": law(whole, seed=rank, beta=0.3),
        "law, alpha": law(whole, alpha=float(rank)),
        "law, rows": law(ShardedDotProduct(queries[rows], lines), rows),
        "law, callable": law(called, seed=rank),
        "nothing": draw(whole),
    }
    write(messages, rank, folder)


def fail(rank: int, world: int, folder: Path) -> None:
    """Fail on rank 1, or on both."""
    lines, queries, called = own_lines(rank, world), QUERY_TENSOR, own_distances(rank, world)
    whole, spoilt = ShardedDotProduct(queries, lines), lines.clone()
    spoilt[3] = torch.nan
    wrong = tensors()["targets"].clone()
    wrong[1] = 5000 if rank else 5
    split = ShardedDotProduct(queries, lines, split=True)

    def no_memory(*_: Any, **__: Any) -> Any:
        raise MemoryError("no memory")

    def failing(call: int) -> ShardedScorer:
        calls = []

        def score(item_ids: Any) -> Any:
            calls.append(len(item_ids))
            if rank == 1 and len(calls) >= call:
                raise ArithmeticError("mine")
            return distances(item_ids)

        return ShardedScorer(score, called.item_ids)

    def without_memory(
        owner: Any,
        name: str,
        after: int = 0,
        act: Callable[..., str] = draw,
        score: Any = whole,
        **changes: Any,
    ) -> str:
        original, calls = getattr(owner, name), []

        def scarce(*arguments: Any, **more: Any) -> Any:
            calls.append(name)
            return (original if len(calls) <= after else no_memory)(*arguments, **more)

        with pytest.MonkeyPatch.context() as patch:
            if rank:
                is_property = isinstance(original, property)
                patch.setattr(owner, name, property(scarce) if is_property else scarce)
            return act(score, **changes)

    messages = {
        "target": draw(split, given={"targets": wrong}),
        "users": draw(split, given={"users": None if rank else tensors()["users"]}),
        "law, target": message_of(
            lambda: sampler_of().probabilities(**tensors() | {"targets": wrong}, score=whole)
        ),
        "law, target, kernels": with_kernels(
            lambda: sampler_of().probabilities(**tensors() | {"targets": wrong}, score=whole)
        ),
        "split fit": draw(ShardedDotProduct(queries[rank:], lines, split=True)),
        "fit": draw(ShardedDotProduct(queries[rank:], lines)),
        "dim": draw(ShardedDotProduct(queries, lines[:, rank:])),
        "axes": draw(ShardedDotProduct(queries, lines[:, 0] if rank else lines)),
        "length": draw(
            ShardedDotProduct(queries, lines, item_ids=range(301 if rank == 0 else 1001))
        ),
        "shape": draw(ShardedScorer(lambda ids: distances(ids)[rank:], called.item_ids)),
        "table": without_memory(Table, "of", beta=0.3),
        "checksum": without_memory(agreement, "_checksum"),
        "words": without_memory(Stream, "words"),
        "parts": without_memory(Columns, "parts"),
        "next parts": without_memory(Columns, "parts", after=1, replacement=False),
        "total": without_memory(Masses, "log_total"),
        "pick": without_memory(Masses, "pick"),
        "runs": without_memory(Columns, "runs", beta=0.3, candidates="query"),
        "first pass": draw(failing(1)),
        "second pass": draw(failing(2)),
        "next draw": draw(failing(3), replacement=False, num_negatives=12),
        "law": law(failing(1)),
        "law, memory": without_memory(torch.Tensor, "new_zeros", act=law),
        "law, memory, callable": without_memory(torch.Tensor, "new_zeros", act=law, score=called),
    }
    both = {
        "score": draw(ShardedDotProduct(queries, spoilt if rank else lines)),
        "fit nowhere": draw(ShardedDotProduct(queries[1:], lines)),
        "query": draw(called, beta=0.5, candidates="query"),
        "query, law": message_of(
            lambda: sampler_of(beta=0.5, candidates="query").probabilities(
                **tensors(), score=called
            )
        ),
        "few": draw(whole, replacement=False, num_negatives=990),
        "dtype": with_default_dtype(torch.float64, lambda: law(called)),
        "nothing": draw(called),
    }
    write(messages, rank, folder)
    write(both, rank, folder / "both")
    drawn = sampler_of().sample(**tensors(), score=whole)
    np.savez(folder / f"rank{rank}.npz", ids=drawn.item_ids.numpy())


def with_kernels(call: Callable[[], Any]) -> str:
    """Return what is said where rows are looked at as they are drawn, as on a GPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TorchBackend, "fused", True)
        return message_of(call)


def with_default_dtype(dtype: Any, call: Callable[[], str]) -> str:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        return call()
    finally:
        torch.set_default_dtype(before)


def claim_wrongly(rank: int, world: int, folder: Path) -> None:
    """Let each rank believe that every draw is its own, or that of the other."""
    pick, messages = Masses.pick, {}
    for name, owner in (("both", rank), ("none", 1 - rank)):

        def pick_here(masses: Any, first: Any, second: Any, owner: int = owner) -> Any:
            picked = pick(masses, first, second)
            return replace(picked, part=picked.part % PARTS + PARTS * owner)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Masses, "pick", pick_here)
            messages[name] = draw(ShardedDotProduct(QUERY_TENSOR, own_lines(rank, world)))
    write(messages, rank, folder)


def rank_dies(rank: int, world: int, folder: Path) -> None:
    if rank == 0:
        write({"dead": draw(ShardedDotProduct(QUERY_TENSOR, own_lines(0, world)))}, 0, folder)
    os._exit(0)  # a group that lost a rank cannot be taken down in order


# What they must have said.


def test_ranks_that_differ_all_raise_the_same(tmp_path: Path) -> None:
    on_ranks(2, tmp_path, differ)
    first, second = said(tmp_path)
    wanted = {
        "seed": "ranks differ in their seed (rank 0: 0, rank 1: 1)",
        "split": "ranks differ in their split (rank 0: 0, rank 1: 1)",
        "alpha": "ranks differ in their alpha (rank 0: 0.0, rank 1: 4e-07)",
        "low alpha": "ranks differ in their alpha (rank 0: 1e-07, rank 1: 4e-07)",
        "rows": "ranks differ in their number of targets (rank 0: 90, rank 1: 70)",
        "mask": "ranks differ in their rows",
        "exclusions": "ranks differ in their exclusions of the rows",
        "order of exclusions": "ranks differ in their exclusions of the rows",
        "candidates": "ranks differ in their candidates",
        "queries": "ranks differ in their queries (a checksum",
        "length": "ranks differ in their queries' length (its logarithm",
        "dtype": "ranks differ in their dtype of items (rank 0: torch.float32, rank 1: torch.bf",
        "dtype of queries": "ranks differ in their dtype of queries (rank 0: torch.float32",
        "kind": "ranks differ in their dim (0 for a callable)",
        "lines": "the shards have 1000 item embeddings",
        "overlap": "the shards have 1101 item embeddings, but the catalogue is range(1, 1001): "
        "row i of the whole table is the embedding of item id i; pass item_ids=",
        "order": "item_ids of the ranks are range(501, 1001), range(0, 501)",
        "gap": "item_ids of the ranks are range(1, 500), range(501, 1000)",
        "law, seed": "ranks differ in their seed",
        "law, alpha": "ranks differ in their alpha",
        "law, rows": "ranks differ in their number of targets",
        "law, callable": "ranks differ in their seed",
    }
    for name, message in wanted.items():
        assert first[name].startswith(f"InvalidInputError: {message}"), (name, first[name])
    assert first["nothing"] == "nothing"
    assert first.keys() == wanted.keys() | {"nothing"}
    assert second == first


def test_what_fails_on_one_rank_is_raised_on_all(tmp_path: Path) -> None:
    (tmp_path / "both").mkdir()
    on_ranks(2, tmp_path, fail)
    refused, failed = "rank 1 rejected its arguments", "rank 1 could not compute its scores"
    wanted = {
        "target": (refused, "InvalidInputError: targets[1] = 5000 is outside the catalogue"),
        "users": (refused, "InvalidInputError: the sampler was given interactions"),
        "law, target": (refused, "InvalidInputError: targets[1] = 5000 is outside the catalogue"),
        "law, target, kernels": (refused, "InvalidInputError: targets[1] = 5000 is outside the"),
        "split fit": (refused, "InvalidInputError: queries have shape (89, 8); they must be"),
        "fit": (refused, "InvalidInputError: queries have shape (89, 8); they must be"),
        "dim": (refused, "InvalidInputError: items have shape (700, 7); they must be (num_lines"),
        "axes": (refused, "InvalidInputError: items have shape (700,); they must be (num_lines"),
        "length": (refused, "InvalidInputError: items have 700 rows, but item_ids are range(0, 1"),
        "shape": (failed, "InvalidInputError: the score callable returned shape (89, "),
        "table": (failed, "MemoryError: no memory"),
        "checksum": (refused, "MemoryError: no memory"),
        "words": (failed, "MemoryError: no memory"),
        "parts": (failed, "MemoryError: no memory"),
        "next parts": (failed, "MemoryError: no memory"),
        "total": (failed, "MemoryError: no memory"),
        "pick": (failed, "MemoryError: no memory"),
        "runs": (failed, "MemoryError: no memory"),
        "first pass": (failed, "ArithmeticError: mine"),
        "second pass": (failed, "ArithmeticError: mine"),
        "next draw": (failed, "ArithmeticError: mine"),
        "law": (failed, "ArithmeticError: mine"),
        "law, memory": (failed, "MemoryError: no memory"),
        "law, memory, callable": (failed, "MemoryError: no memory"),
    }
    first, second = said(tmp_path)
    for name, messages in wanted.items():
        assert first[name].startswith(f"InvalidInputError: {messages[0]}"), (name, first[name])
        assert second[name].startswith(messages[1]), (name, second[name])
    assert first.keys() == wanted.keys()
    first, second = said(tmp_path / "both")
    everywhere = {
        "score": "InvalidScoresError: row 1 has a score that is NaN or +inf",
        "fit nowhere": "InvalidInputError: queries have shape (89, 8); they must be",
        "query": 'InvalidInputError: candidates="query" with beta < 1 needs a DotProduct',
        "query, law": 'InvalidInputError: candidates="query" with beta < 1 needs a DotProduct',
        "few": "NoNegativesError: row 1 has ",
        "dtype": "nothing",
        "nothing": "nothing",
    }
    for name, message in everywhere.items():
        assert first[name].startswith(message), (name, first[name])
    assert second == first
    for rank in range(2):
        np.testing.assert_array_equal(np.load(tmp_path / f"rank{rank}.npz")["ids"], one_device()[0])


def test_a_draw_belongs_to_one_rank(tmp_path: Path) -> None:
    on_ranks(2, tmp_path, claim_wrongly)
    first, second = said(tmp_path)
    for name, count in (("both", 2), ("none", 0)):
        words = f"InvalidInputError: row 1 was drawn by {count} ranks, not by one"
        assert first[name].startswith(words), first[name]
    assert second == first


@pytest.mark.parametrize("item_ids", [range(1, 9, 2), 9, [1, 2]])
def test_ids_of_a_rank_are_a_range(item_ids: Any) -> None:
    with pytest.raises(InvalidInputError, match="item_ids must be a range of step 1"):
        ShardedScorer(distances, item_ids)
    with pytest.raises(InvalidInputError, match="item_ids must be a range of step 1"):
        ShardedDotProduct(QUERY_TENSOR, TABLE_TENSOR, item_ids=item_ids)


def test_lists_go_to_the_device_of_the_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("negsamp.validation.check_dense", lambda *_: None)  # "meta" is refused
    sampler = GenNi(range(1, NUM_ITEMS + 1), backend="torch")
    queries = torch.zeros((2, 8), device="meta")
    score = ShardedDotProduct(queries, queries)
    arrays = sampler.arguments(
        TorchBackend(sampler.catalogue), [1, 2], score, None, [True, True], None
    )
    assert [each.device.type for each in arrays if each is not None] == ["meta", "meta"]


def test_a_score_of_a_rank_can_be_called() -> None:
    with pytest.raises(InvalidInputError, match="score must be a callable of item ids; got Tensor"):
        ShardedScorer(torch.zeros(3, 3), range(9))


def test_a_dead_rank_is_an_error_and_not_a_hang(tmp_path: Path) -> None:
    on_ranks(2, tmp_path, rank_dies, seconds=5)
    (messages,) = said(tmp_path, 1)
    assert "RuntimeError" in messages["dead"] or "DistBackendError" in messages["dead"]
