"""Sampling in a compiled training step: one graph, and the draws of the plain sampler."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from negsamp import (
    DotProduct,
    GenNi,
    Interactions,
    InvalidInputError,
    InvalidScoresError,
    Linear,
    Popularity,
    Sampler,
    Uniform,
)

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from negsamp_torch import compiled  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")

ITEMS, DIM, NUM_ROWS = range(1, 301), 8, 24
SEEN = Interactions.from_sequences([range(user, user + 20) for user in range(1, 6)])
SAMPLERS: dict[str, Callable[[], Sampler]] = {
    "uniform": lambda: Uniform(ITEMS, 3, interactions=SEEN, seed=1),
    "popularity": lambda: Popularity([1, 2, 3] * 101, 0.75, ITEMS, 3, interactions=SEEN, seed=2),
    "genni": lambda: GenNi(ITEMS, 3, alpha=0.5, interactions=SEEN, seed=3),
    "genni, candidates": lambda: GenNi(ITEMS, 3, beta=0.2, interactions=SEEN, seed=4),
}


@pytest.fixture(autouse=True)
def compilations_without_limit() -> Iterator[None]:
    """Each test compiles the step for a sampler of its own."""
    with torch._dynamo.config.patch(recompile_limit=64):
        yield


class Step(torch.nn.Module):  # type: ignore[misc, name-defined]
    """A step of training that draws twice, the second time for nothing but to differ."""

    def __init__(self, draw: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = torch.nn.Embedding(len(ITEMS) + 1, DIM)
        self.encoder = torch.nn.Linear(DIM, DIM)
        self.draw = draw

    def forward(self, targets: Any, users: Any) -> tuple[Any, ...]:
        queries = self.encoder(self.table(targets))
        score = DotProduct(queries, self.table.weight)
        given = {"score": score, "users": users, "mask": targets != 7}
        negatives, others = self.draw(targets, **given), self.draw(targets, **given)
        drawn = self.table(negatives.item_ids)
        logits = (queries[:, None] * drawn).sum(-1) - negatives.log_q
        loss = logits.logsumexp(-1).mean()
        return loss, negatives.item_ids, negatives.log_q, others.item_ids


def batch(number: int) -> tuple[Any, Any]:
    generator = torch.Generator().manual_seed(number)
    targets = torch.randint(1, len(ITEMS) + 1, (NUM_ROWS,), generator=generator)
    return targets, torch.randint(0, 5, (NUM_ROWS,), generator=generator)


@pytest.mark.parametrize(
    ("name", "compiler"),
    [*zip(SAMPLERS, ["eager", "aot_eager", "aot_eager", "eager"], strict=True)],
)
def test_a_compiled_step_is_one_graph_with_the_draws_of_the_plain_one(
    name: str, compiler: str
) -> None:
    plain = Step(SAMPLERS[name]().sample)
    step = Step(compiled(SAMPLERS[name]()))
    whole = torch.compile(step, fullgraph=True, backend=compiler)
    for number in range(3):
        outcomes = [each(*batch(number)) for each in (plain, whole)]
        for outcome in outcomes:
            outcome[0].backward()
        for one, other in zip(*outcomes, strict=True):
            assert torch.equal(one, other)
        loss, item_ids, _, others = outcomes[1]
        assert loss.requires_grad
        assert float((item_ids == others).float().mean()) < 0.3
    for one, other in zip(plain.parameters(), step.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)
    assert step.draw.sampler.state_dict()["call"] == 6


def test_schedules_move_without_another_compilation() -> None:
    def schedule() -> GenNi:
        return GenNi(ITEMS, 3, alpha=Linear(0.5, 3.0, epochs=3), beta=Linear(0.1, 1.0, epochs=3))

    graphs: list[Any] = []

    def counting(graph: Any, _: Any) -> Any:
        graphs.append(graph)
        return graph

    plain, step = Step(schedule().sample), Step(compiled(schedule()))
    whole = torch.compile(step, fullgraph=True, backend=counting)
    for epoch in range(4):
        plain.draw.__self__.set_epoch(epoch)
        step.draw.sampler.set_epoch(epoch)
        assert torch.equal(plain(*batch(0))[1], whole(*batch(0))[1])
    assert len(graphs) == 1


def test_a_draw_that_nothing_reads_is_made_all_the_same() -> None:
    draw, plain = compiled(Uniform(ITEMS, seed=1)), Uniform(ITEMS, seed=1)

    def two(targets: Any) -> Any:
        draw(targets)
        return draw(targets).item_ids

    targets = batch(0)[0]
    plain.sample(targets)
    drawn = torch.compile(two, fullgraph=True, backend="aot_eager")(targets)
    assert torch.equal(drawn, plain.sample(targets).item_ids)


def test_shapes_and_dtypes_of_the_operator_are_those_of_its_fake() -> None:
    draw = compiled(GenNi(ITEMS, 3))
    targets = torch.randint(1, 300, (2, 5), dtype=torch.int32)
    queries, items = torch.randn(2, 5, DIM), torch.randn(301, DIM)
    given = (draw._calls, draw._number, 3, targets, queries, items, None, None, None)
    torch.library.opcheck(
        torch.ops.negsamp.draw.default,
        given,
        test_utils=("test_schema", "test_faketensor", "test_autograd_registration"),
    )


def test_errors_are_those_of_the_sampler() -> None:
    step = Step(compiled(GenNi(ITEMS, 3)))
    whole = torch.compile(step, fullgraph=True, backend="aot_eager")
    whole(*batch(0))
    with torch.no_grad():
        step.table.weight[5] = torch.nan
    with pytest.raises(InvalidScoresError, match="has a score that is NaN"):
        whole(*batch(0))
    with pytest.raises(InvalidInputError, match="a compiled sampler takes a DotProduct"):
        compiled(Uniform(ITEMS))(batch(0)[0], score=lambda ids: ids)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="takes only tensors; got a ndarray"):
        compiled(Uniform(ITEMS))(batch(0)[0].numpy())
    with pytest.raises(InvalidInputError, match=r"compiled\(\) takes a sampler; got int"):
        compiled(3)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # dynamo's, behind a break
@pytest.mark.parametrize("named", ["torch", "numba"])
def test_a_plain_sampler_in_a_compiled_step_breaks_the_graph_and_draws_as_ever(
    named: str,
) -> None:
    """And does not have the compiler trace its kernels, which it cannot."""
    graphs: list[Any] = []

    def counting(graph: Any, _: Any) -> Any:
        graphs.append(graph)
        return graph

    def genni() -> GenNi:
        return GenNi(ITEMS, 3, alpha=0.5, interactions=SEEN, backend=named, seed=3)

    plain, step = Step(genni().sample), Step(genni().sample)
    whole = torch.compile(step, backend=counting)
    for number in range(3):
        for one, other in zip(plain(*batch(number)), whole(*batch(number)), strict=True):
            assert torch.equal(one, other)
    assert 2 <= len(graphs) <= 6
    with pytest.raises(torch._dynamo.exc.Unsupported):
        torch.compile(Step(genni().sample), fullgraph=True, backend="eager")(*batch(0))


def test_a_sampler_is_not_compiled_for_every_step_that_calls_it() -> None:
    """The compiler meets it once, and leaves it alone from then on."""
    sampler = Uniform(ITEMS, 2)

    def plain(targets: Any) -> Any:
        return sampler.sample(targets).item_ids + 1

    def masked(targets: Any) -> Any:
        return sampler.sample(targets, mask=targets > 1).item_ids + 1

    compilations = torch._C._dynamo.eval_frame._debug_get_cache_entry_list
    for step in (plain, masked):
        whole = torch.compile(step, backend="eager")
        for number in range(2, 5):
            assert whole(batch(0)[0][:number]).shape == (number, 2)
        assert len(compilations(step.__code__)) >= 1
    assert len(compilations(Sampler.sample.__code__)) <= 1


@pytest.mark.parametrize(
    "context", [lambda: torch.device("meta"), torch.inference_mode], ids=["meta", "inf"]
)
def test_a_model_may_be_built_anywhere(context: Callable[[], Any]) -> None:
    with context():
        draw = compiled(Uniform(ITEMS, 3, seed=1))
    targets, plain = batch(0)[0], Uniform(ITEMS, 3, seed=1)
    for _ in range(2):
        assert torch.equal(draw(targets).item_ids, plain.sample(targets).item_ids)


def test_a_copy_has_a_sampler_of_its_own() -> None:
    draw = compiled(Uniform(ITEMS, seed=1))
    twin = copy.deepcopy(draw)
    targets = batch(0)[0]
    assert torch.equal(draw(targets).item_ids, twin(targets).item_ids)
    assert twin.sampler is not draw.sampler
    assert twin.sampler.state_dict()["call"] == 1


def test_inductor_makes_the_same_draws() -> None:
    """The compiler that people use; one case, since it builds C++."""
    plain = Step(SAMPLERS["genni"]().sample)
    whole = torch.compile(Step(compiled(SAMPLERS["genni"]())), fullgraph=True)
    for number in range(2):
        assert torch.equal(plain(*batch(number))[1], whole(*batch(number))[1])
