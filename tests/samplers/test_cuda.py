"""What only a GPU can show: nothing waits, graphs replay with fresh draws, memory stays small."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from negsamp import (
    DotProduct,
    GenNi,
    Interactions,
    InvalidScoresError,
    Popularity,
    Sampler,
    Uniform,
)

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("triton", reason="Triton is not installed")
if not torch.cuda.is_available():
    pytest.skip("no CUDA device", allow_module_level=True)

from negsamp_torch import capturable, compiled  # noqa: E402

ITEMS, DIM, NUM_ROWS = range(1, 12_102), 64, 500
SEEN = Interactions.from_sequences([range(user, user + 50) for user in range(1, 101)])
SAMPLERS: dict[str, Callable[..., Sampler]] = {
    "uniform": lambda **changes: Uniform(ITEMS, **changes),
    "popularity": lambda **changes: Popularity([1, 2, 3] * 4034, 0.75, ITEMS, **changes),
    "genni": lambda **changes: GenNi(ITEMS, alpha=0.5, **changes),
    "genni, batch": lambda **changes: GenNi(ITEMS, beta=0.3, **changes),
    "genni, query": lambda **changes: GenNi(ITEMS, beta=0.01, candidates="query", **changes),
}


def sampler_of(name: str, **changes: Any) -> Sampler:
    common = {"num_negatives": 3, "interactions": SEEN, "seed": 5}
    return SAMPLERS[name](**common | changes)


def arguments() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    queries = torch.randn(NUM_ROWS, DIM, generator=generator)
    items = torch.randn(len(ITEMS) + 1, DIM, generator=generator)
    return {
        "targets": torch.randint(1, 12_102, (NUM_ROWS,), generator=generator).cuda(),
        "score": DotProduct(queries.cuda(), items.cuda()),
        "users": torch.arange(NUM_ROWS).cuda() % 100,
        "mask": torch.arange(NUM_ROWS).cuda() % 7 != 2,
    }


@contextmanager
def no_waiting() -> Iterator[None]:
    """Have PyTorch raise an error where the host waits for the device."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("replacement", [True, False])
@pytest.mark.parametrize("name", SAMPLERS)
def test_sample_does_not_wait(name: str, replacement: bool) -> None:
    sampler, given = sampler_of(name, replacement=replacement), arguments()
    sampler.sample(**given)
    with no_waiting():
        for _ in range(3):
            sampler.sample(**given)
    assert sampler.state_dict()["call"] == 4


def test_an_error_is_told_later() -> None:
    sampler, given = sampler_of("genni"), arguments()
    given["score"].queries[3] = torch.nan
    sampler.sample(**given)
    with pytest.raises(InvalidScoresError, match="row 3 has a score that is NaN"):
        sampler.state_dict()
    with pytest.raises(InvalidScoresError, match="row 3"):
        sampler_of("genni", validate="now").sample(**given)


@pytest.mark.parametrize("name", SAMPLERS)
def test_each_replay_of_a_graph_draws_afresh(name: str) -> None:
    plain, draw, given = sampler_of(name), capturable(sampler_of(name)), arguments()
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        draw(**given)
        plain.sample(**given)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        negatives = draw(**given)
    for _ in range(3):
        graph.replay()
        expected = plain.sample(**given)
        assert torch.equal(negatives.item_ids, expected.item_ids)
        assert torch.equal(negatives.log_q, expected.log_q)
    draw.check()
    assert draw.sampler.state_dict() == plain.state_dict()


@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
def test_a_compiled_step_draws_afresh(mode: str) -> None:
    plain, draw, given = sampler_of("genni"), compiled(sampler_of("genni")), arguments()

    def step(targets: Any, queries: Any, items: Any, users: Any) -> Any:
        score = DotProduct(queries * 2.0, items)
        return draw(targets, score=score, users=users).item_ids + 1

    whole = torch.compile(step, fullgraph=True, mode=mode)
    queries, items = given["score"].queries, given["score"].items
    for _ in range(5):
        expected = plain.sample(
            given["targets"], score=DotProduct(queries * 2.0, items), users=given["users"]
        )
        drawn = whole(given["targets"], queries, items, given["users"])
        assert torch.equal(drawn, expected.item_ids + 1)


def test_memory_is_bounded() -> None:
    queries = torch.randn(4096, DIM, device="cuda", dtype=torch.bfloat16)
    items = torch.randn(300_000, DIM, device="cuda", dtype=torch.bfloat16)
    targets = torch.arange(4096, device="cuda")
    sampler = GenNi(300_000, alpha=0.5)
    sampler.sample(targets, score=DotProduct(queries, items))
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    sampler.sample(targets, score=DotProduct(queries, items))
    torch.cuda.synchronize()
    assert torch.cuda.max_memory_allocated() - before < 64e6 < 4096 * 300_000 * 2 / 10
