"""What waits for no device: errors told later, and draws whose place in the stream is on it.

The kernels are interpreted here. ``test_cuda.py`` looks at the same on a GPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from negsamp import (
    ConfigError,
    DotProduct,
    GenNi,
    Interactions,
    InvalidInputError,
    InvalidScoresError,
    Linear,
    NoNegativesError,
    Popularity,
    Sampler,
    Uniform,
)
from negsamp.stream import NEGATIVES, Stream

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("triton", reason="Triton is not installed")

from negsamp_torch import Capturable, capturable, compiled  # noqa: E402
from negsamp_torch.fused.counter import counter_of  # noqa: E402
from negsamp_torch.request import NO_FINITE_SCORE, NO_WEIGHT, error_of  # noqa: E402
from negsamp_torch.row_errors import MAX_CALLS, MAX_ROWS, Deferred  # noqa: E402
from negsamp_torch.tables import Tables  # noqa: E402
from tests.samplers.waiting import NothingForTheHost, Recorder  # noqa: E402

ITEMS, DIM, NUM_ROWS = range(1, 151), 8, 4
SEEN = Interactions.from_sequences([range(user, user + 20) for user in range(1, 6)])
SAMPLERS: dict[str, Callable[..., Sampler]] = {
    "uniform": lambda **changes: Uniform(ITEMS, **changes),
    "popularity": lambda **changes: Popularity([1, 2, 3] * 51, 0.75, ITEMS, **changes),
    "genni": lambda **changes: GenNi(ITEMS, alpha=0.5, **changes),
    "genni, batch": lambda **changes: GenNi(ITEMS, beta=0.3, **changes),
    "genni, query": lambda **changes: GenNi(ITEMS, beta=0.3, candidates="query", **changes),
}


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw by kernels, and raise later."""
    monkeypatch.setattr("negsamp_torch.TorchBackend.fused", True)
    monkeypatch.setattr("negsamp_torch.TorchBackend.deferred", True)


def sampler_of(name: str, **changes: Any) -> Sampler:
    common = {"num_negatives": 2, "interactions": SEEN, "backend": "torch", "seed": 5}
    return SAMPLERS[name](**common | changes)


def arguments(scale: float = 1.0) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    queries = torch.randn(NUM_ROWS, DIM, generator=generator) * scale
    return {
        "targets": torch.randint(1, 151, (NUM_ROWS,), generator=generator),
        "score": DotProduct(queries, torch.randn(151, DIM, generator=generator)),
        "users": torch.arange(NUM_ROWS) % 5,
        "mask": torch.arange(NUM_ROWS) != 2,
        "exclude": torch.tensor([[7, -1]] * NUM_ROWS),
    }


def wrong(name: str) -> tuple[dict[str, Any], type[Exception], str]:
    """Return arguments with something wrong in row 3, and how it is refused."""
    given = arguments()
    if name == "score":
        given["score"].queries[3] = torch.nan
        return given, InvalidScoresError, "row 3 has a score that is NaN"
    if name == "target":
        given["targets"][3] = 151
        return given, InvalidInputError, r"targets\[3\] = 151 is outside the catalogue"
    if name == "user":
        given["users"][3] = 5
        return given, InvalidInputError, r"users\[3\] = 5 is unknown"
    given["exclude"] = torch.tensor([list(ITEMS) if row == 3 else [7] * 150 for row in range(4)])
    return given, NoNegativesError, "row 3 has no admissible item"


WRONG = ("score", "target", "user", "exclude")


@pytest.mark.parametrize("what", WRONG)
def test_an_error_is_told_by_the_next_call_and_the_draws_go_on(what: str) -> None:
    sampler, plain = (sampler_of("genni") for _ in range(2))
    given, error, message = wrong(what)
    sampler.sample(**given)
    with pytest.raises(error, match=message) as told:
        sampler.sample(**arguments())
    assert 'with validate="now"' in told.value.__notes__[0]
    assert sampler.state_dict()["call"] == 1
    plain.sample(**arguments())
    ours, theirs = sampler.sample(**arguments()), plain.sample(**arguments())
    assert torch.equal(ours.item_ids, theirs.item_ids)


@pytest.mark.parametrize("what", WRONG)
def test_validate_now_tells_it_in_the_call(what: str) -> None:
    sampler = sampler_of("genni", validate="now")
    given, error, message = wrong(what)
    with pytest.raises(error, match=message):
        sampler.sample(**given)
    assert sampler.state_dict()["call"] == 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda sampler: sampler.update(1.0),
        lambda sampler: sampler.set_epoch(1),
        lambda sampler: sampler.state_dict(),
    ],
)
def test_who_else_tells_it(ask: Callable[[Sampler], object]) -> None:
    sampler = sampler_of("genni")
    sampler.sample(**wrong("score")[0])
    with pytest.raises(InvalidScoresError):
        ask(sampler)
    ask(sampler)


def test_what_has_changed_meanwhile_is_told_all_the_same() -> None:
    sampler = sampler_of("uniform")
    given = wrong("target")[0]
    sampler.sample(**given)
    given["targets"][3] = 7
    with pytest.raises(InvalidInputError, match="row 3 has a target or an excluded id"):
        sampler.state_dict()


def test_details_that_were_overwritten_are_not_made_up() -> None:
    """The row that had nothing to draw is named, not the one that would have nothing now."""
    sampler = sampler_of("uniform")
    given = wrong("exclude")[0]
    sampler.sample(**given)
    given["exclude"][3], given["exclude"][1] = -1, torch.arange(1, 151)
    with pytest.raises(NoNegativesError, match="row 3 has "):
        sampler.state_dict()


def overwritten(sampler: Sampler, how: str, given: dict[str, Any], name: str, value: Any) -> None:
    """Sample, and then write to an argument in a way that its version does not show."""
    with torch.inference_mode(how == "inference"):
        given = given | {name: given[name].clone()}
        (compiled(sampler) if how == "graph" else sampler.sample)(**given)
        given[name].data.copy_(value)


@pytest.mark.parametrize("how", ["data", "inference", "graph"])
def test_details_that_were_overwritten_unseen_are_not_made_up(how: str) -> None:
    sampler, exclude = sampler_of("genni"), wrong("exclude")[0]["exclude"]
    overwritten(sampler, how, wrong("score")[0], "targets", torch.tensor(7777777))
    with pytest.raises(InvalidScoresError, match=r"row 3 has a score"):
        sampler.state_dict()
    overwritten(sampler, how, wrong("target")[0], "targets", torch.tensor(7))
    with pytest.raises(InvalidInputError, match=r"row 3 has a target or an excluded id"):
        sampler.state_dict()
    overwritten(sampler, how, wrong("exclude")[0], "exclude", exclude.roll(2, 0))
    with pytest.raises(NoNegativesError, match=r"row 3 has no item left to draw"):
        sampler.state_dict()


@pytest.mark.parametrize("how", ["inference", "graph"])
def test_where_nobody_counts_what_is_written_no_details_are_told(how: str) -> None:
    sampler = sampler_of("uniform")
    overwritten(sampler, how, wrong("target")[0], "targets", torch.tensor(7777777))
    with pytest.raises(InvalidInputError, match=r"row 3 has a target or an excluded id"):
        sampler.state_dict()


class Event:
    """An event of a device that has not got there until somebody waits."""

    def __init__(self) -> None:
        self.reached = False

    def query(self) -> bool:
        return self.reached

    def synchronize(self) -> None:
        self.reached = True


def pending_on_a_slow_device(sampler: Sampler, count: int) -> Deferred:
    """Draw with a bad score so often, and have no flag arrive by itself."""
    for number in range(count):
        sampler.sample(**(wrong("score")[0] if number == 0 else arguments()))
        errors: Deferred = sampler._backends["torch"].row_errors  # type: ignore[attr-defined]
        last = errors._pending.pop()
        errors._pending.append(replace(last, copied=Event()))
    return errors


def test_nobody_waits_but_who_has_to() -> None:
    sampler = sampler_of("genni")
    pending_on_a_slow_device(sampler, 3)
    sampler.update(1.0)
    assert sampler._call == 3
    with pytest.raises(InvalidScoresError):
        sampler.state_dict()


def test_no_event_is_asked_while_a_graph_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA would refuse it, and the capture be lost."""
    sampler = sampler_of("genni")
    errors = pending_on_a_slow_device(sampler, 1)
    (pending,) = errors._pending
    errors._pending[0] = replace(pending, copied=object())  # which answers nothing
    with monkeypatch.context() as patches:
        patches.setattr("torch.cuda.is_initialized", lambda: True)
        patches.setattr("torch.cuda.is_current_stream_capturing", lambda: True)
        sampler.update(1.0)
    errors._pending[0] = pending
    with pytest.raises(InvalidScoresError):
        sampler.state_dict()


def test_a_status_tells_scores_from_weights_however_many_were_drawn() -> None:
    errors = [error_of(code + 70_000, 2, (4,)) for code in (NO_FINITE_SCORE, NO_WEIGHT)]
    for error, reason in zip(errors, ("score -inf", "count 0"), strict=True):
        assert str(error).startswith("row 2 has no item left to draw after 70000 distinct draws")
        assert reason in str(error)


def test_what_waits_is_bounded() -> None:
    sampler = sampler_of("genni")
    errors = pending_on_a_slow_device(sampler, 1)
    (pending,) = errors._pending
    errors._pending.extend([pending] * (MAX_CALLS - 1))
    sampler.update(1.0)
    for one_more in (pending, replace(pending, rows=MAX_ROWS)):
        errors._pending.append(one_more)
        with pytest.raises(InvalidScoresError):
            sampler.update(1.0)
        assert not errors._pending
        pending.copied.reached = False
        errors._pending.append(pending)
    errors._pending[0] = replace(pending, rows=MAX_ROWS + 1)
    sampler.update(1.0)  # nobody waits for the newest, however large it is
    assert len(errors._pending) == 1


@pytest.mark.parametrize(
    ("name", "replacement"),
    [("uniform", False), *((name, True) for name in SAMPLERS)],
)
def test_capturable_draws_are_those_of_the_sampler_call_by_call(
    name: str, replacement: bool
) -> None:
    plain, sampler = (sampler_of(name, replacement=replacement) for _ in range(2))
    for each in (plain, sampler):
        each.sample(**arguments())
    draw = capturable(sampler, "cpu")
    for _ in range(2):
        ours, theirs = draw(**arguments()), plain.sample(**arguments())
        assert torch.equal(ours.item_ids, theirs.item_ids)
        assert torch.equal(ours.log_q, theirs.log_q)
    assert sampler._call == 1  # nothing in the process has counted: the tensor has
    draw.check()
    assert sampler.state_dict() == plain.state_dict()


def test_what_is_made_in_inference_mode_is_used_outside_it() -> None:
    plain, sampler = (sampler_of("uniform") for _ in range(2))
    with torch.inference_mode():
        draw = capturable(sampler, "cpu")
    for _ in range(2):
        assert torch.equal(draw(**arguments()).item_ids, plain.sample(**arguments()).item_ids)
    draw.check()


def test_alpha_may_be_as_large_as_it_can() -> None:
    given = {name: arguments(scale=0.0)[name] for name in ("targets", "score")}
    sampler, plain = (GenNi(ITEMS, alpha=1e38, backend="torch") for _ in range(2))
    numbers = {"score": DotProduct(*(each.numpy() for each in vars(given["score"]).values()))}
    expected = GenNi(ITEMS, alpha=1e38, backend="numpy").sample(given["targets"].numpy(), **numbers)
    for draw in (plain.sample, capturable(sampler, "cpu")):
        assert draw(**given).item_ids.tolist() == expected.item_ids.tolist()


def test_words_are_the_same_wherever_the_call_is_kept() -> None:
    draws = torch.arange(100)
    for key, call in ((0, 0), (2**64 - 1, 2**40 + 3), (2**63, 2**56 - 1)):
        there = Stream(key, torch.tensor(call))
        for one, other in zip(
            there.words(NEGATIVES, draws), Stream(key, call).words(NEGATIVES, draws), strict=True
        ):
            assert torch.equal(one, other)
        assert torch.equal(
            counter_of(there, draws.device), counter_of(Stream(key, call), draws.device)
        )


@pytest.mark.parametrize("name", SAMPLERS)
def test_nothing_asks_the_host(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triton.runtime.interpreter.GridExecutor.__call__", lambda *_, **__: None)
    plain, draw, given = sampler_of(name), capturable(sampler_of(name), "cpu"), arguments()
    for each in (plain.sample, draw):
        each(**given)  # copies the interactions to the device
    plain._backends["torch"].row_errors._pending.clear()  # type: ignore[attr-defined]
    watching = NothingForTheHost()  # type: ignore[no-untyped-call]
    with watching, draw.rehearsal():
        plain.sample(**given)
        draw(**given)
        assert draw.follow()
    for asks in (draw.settle, draw.check):
        with pytest.raises(AssertionError, match="_local_scalar_dense waits"), watching:
            asks()


def test_tables_are_copied_to_a_device_and_not_computed_there() -> None:
    """A copy waits for itself; what one stream computes, another that draws would not wait for."""
    with Recorder() as seen:
        tables = Tables(sampler_of("popularity").catalogue, torch.device("cpu"))
        assert tables.user_items is not None
        assert tables.weights_before is not None
    assert seen.names <= {"_to_copy", "detach", "lift_fresh"}


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("score", "row 3 has a score that is NaN"),
        ("target", "row 3 has a target or an excluded id outside the catalogue"),
        ("exclude", "row 3 has no item left to draw"),
    ],
)
def test_the_first_replay_that_goes_wrong_is_told(what: str, message: str) -> None:
    draw = capturable(sampler_of("genni"), "cpu")
    draw(**arguments())
    given, error, _ = wrong(what)
    draw(**given)
    draw(**wrong("user")[0])
    with pytest.raises(error, match=message) as told:
        draw.check()
    assert told.value.__notes__ == ["In call 1 of the sampler, counted from 0."]
    draw.check()
    assert draw.sampler.state_dict()["call"] == 3


def test_replays_follow_alpha_and_are_refused_for_another_beta() -> None:
    def moving() -> GenNi:
        return GenNi(ITEMS, 4, alpha=Linear(0.5, 3.0, epochs=2), backend="torch")

    given = {name: arguments()[name] for name in ("targets", "score")}
    plain, sampler = moving(), moving()
    draw = capturable(sampler, "cpu")
    draw._write_alpha = lambda: None  # type: ignore[method-assign]  # as in a replay
    for epoch in range(3):
        for each in (plain, sampler):
            each.set_epoch(epoch)
        Capturable._write_alpha(draw)
        ours, theirs = draw(**given), plain.sample(**given)
        assert torch.equal(ours.item_ids, theirs.item_ids)
        assert torch.equal(ours.log_q, theirs.log_q)
    growing = GenNi(ITEMS, beta=Linear(0.5, 1.0, epochs=2), backend="torch")
    draw = capturable(growing, "cpu")
    draw(**given)
    draw.check()
    growing.set_epoch(1)
    with pytest.raises(
        ConfigError, match=r"draws with {'beta': 0\.5}, .* moved to {'beta': 0\.75}"
    ):
        draw.check()


def test_a_rehearsal_does_not_count() -> None:
    plain, draw = sampler_of("genni"), capturable(sampler_of("genni"), "cpu")
    for _ in range(2):
        with draw.rehearsal():
            draw(**arguments())
            draw(**wrong("score")[0])
        ours, theirs = draw(**arguments()), plain.sample(**arguments())
        assert torch.equal(ours.item_ids, theirs.item_ids)
    draw.settle()
    assert draw.sampler.state_dict() == plain.state_dict()


def test_who_can_follow_the_schedules() -> None:
    alpha = Linear(0.0, 2.0, epochs=2)
    sampler = GenNi(ITEMS, alpha=alpha, beta=Linear(0.5, 1.0, epochs=4), backend="torch")
    draw, given = capturable(sampler, "cpu"), arguments()
    assert draw.follow()  # nothing is captured yet
    asked = {name: given[name] for name in ("targets", "score")}
    for epoch, follows in ((0, True), (1, False), (1, True), (2, False), (4, False), (5, True)):
        sampler.set_epoch(epoch)
        assert draw.follow() is follows
        assert draw._backend.factor is not None
        assert float(draw._backend.factor) * math.log(2) == pytest.approx(min(epoch, 2))
        if not follows:
            with pytest.raises(ConfigError, match="capture again"):
                draw.check()
        draw(**asked)
    draw.settle()
    assert sampler.state_dict()["call"] == 6


def test_a_sampler_used_beside_is_noticed() -> None:
    draw, given = capturable(sampler_of("genni"), "cpu"), arguments()
    draw(**given)
    draw.sampler.sample(**given)
    with pytest.raises(ConfigError, match="the sampler is at call 1, expected was 0: it was"):
        draw.check()


def test_what_cannot_be_captured_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler, given = sampler_of("genni"), arguments()
    with pytest.raises(InvalidInputError, match=r"capturable\(\) takes a sampler; got str"):
        capturable("genni", "cpu")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="take a DotProduct as score, or none"):
        capturable(sampler, "cpu")(**given | {"score": given["score"].__call__})
    with pytest.raises(
        InvalidInputError, match="targets are on cpu; this sampler was made capturable on meta"
    ):
        capturable(sampler, "meta")(**given)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    with pytest.raises(InvalidInputError, match="would repeat its draws in every replay"):
        counter_of(Stream(0, 0), torch.device("cuda"))
    monkeypatch.setattr("negsamp_torch.TorchBackend.fused", False)
    with pytest.raises(InvalidInputError, match="need a CUDA device with Triton; got cpu"):
        capturable(sampler, "cpu")
    with pytest.raises(
        InvalidInputError, match="device must be a CUDA device, as 'cuda'; got 'gpu'"
    ):
        capturable(sampler, "gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InvalidInputError, match="with Triton; PyTorch finds no CUDA device"):
        capturable(sampler)


@pytest.mark.parametrize("name", SAMPLERS)
def test_one_target_and_none(name: str) -> None:
    sampler = sampler_of(name, interactions=None)
    score = arguments()["score"]
    for shape in ((), (0,), (2, 0)):
        targets, queries = torch.ones(shape, dtype=torch.int64), torch.ones(*shape, DIM)
        negatives = sampler.sample(targets, score=DotProduct(queries, score.items))
        assert negatives.item_ids.shape == (*shape, 2)
        assert bool((negatives.item_ids > 1).all())
    sampler.state_dict()
