"""Steps that are made to be CUDA graphs, taken here one operation after the other.

``test_cuda_training.py`` looks at the graphs themselves on a GPU.
"""

from __future__ import annotations

import gc
import io
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor

from negsamp import ConfigError, DotProduct, GenNi, Negatives, Sampler, Uniform
from negsamp_models.checkpoints import CheckpointError, CheckpointFolder, Saver
from negsamp_models.datasets import Dataset, LeaveOneOut, Sequences, Training
from negsamp_models.datasets.packing import pad
from negsamp_models.datasets.sequences import Int64Array
from negsamp_models.losses import bpr_loss, nce_loss, sampled_softmax_loss
from negsamp_models.processes import Processes, RunStoppedError
from negsamp_models.runs.train import train_in_folder
from negsamp_models.sasrec import SASRec
from negsamp_models.settings import LOSSES, RunOptions, TrainingSettings
from negsamp_models.training import Trainer, TrainingDivergedError, captured
from negsamp_models.training.captured import CapturedStepper, check_cuda_graphs
from negsamp_models.training.replay import WARM_UP_STEPS, Replay
from negsamp_models.training.residence import ResidentTraining
from negsamp_models.training.steps import Step, Stepper
from negsamp_torch import Capturable
from tests.models.made_up import GENNI, NUM_ITEMS, tiny_dataset
from tests.models.outcomes import untimed
from tests.models.stopping import StopAfter
from tests.samplers.waiting import NothingForTheHost

CPU = torch.device("cpu")
SETTINGS = TrainingSettings(
    max_epochs=3, batch_size=16, hidden_size=8, num_layers=2, num_heads=2, max_length=6, dropout=0.2
)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return tiny_dataset(seed=3)


@pytest.fixture(scope="module")
def data(dataset: Dataset) -> Training:
    return LeaveOneOut.of(dataset, SETTINGS.max_length).training


class DrawsOfUsers:
    """Stands in for capturable draws: the negatives of a row depend on its target and user."""

    def __init__(self, *_: Any) -> None:
        self.calls = 0

    def __call__(
        self, targets: Tensor, *, users: Tensor, mask: Tensor | None = None, **_: Any
    ) -> Negatives:
        if mask is not None:
            users = users[:, None].expand_as(targets)
            assert torch.equal(mask, targets != 0)
        steps = torch.tensor([3, 8])
        item_ids = (targets[..., None] * 7 + users[..., None] + steps) % NUM_ITEMS + 1
        log_q = -item_ids / NUM_ITEMS
        if mask is not None:
            item_ids, log_q = (each * mask[..., None] for each in (item_ids, log_q))
        self.calls += 1
        return Negatives(item_ids, log_q)

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        before = self.calls
        yield
        self.calls = before

    def follow(self) -> bool:
        return True

    def settle(self) -> None:
        pass


def model_of(settings: TrainingSettings) -> SASRec:
    torch.manual_seed(1)
    return SASRec(
        NUM_ITEMS,
        settings.hidden_size,
        settings.num_layers,
        settings.num_heads,
        settings.max_length,
        settings.dropout,
    )


def steppers(data: Training, settings: TrainingSettings) -> tuple[Stepper, CapturedStepper]:
    """Return one of each, at the same weights, that draw the same negatives."""
    draws = DrawsOfUsers()

    def draw(targets: Tensor, _: Tensor, __: Tensor, users: Tensor) -> Negatives:
        return draws(targets, users=users)

    packed = Stepper(data, settings, model_of(settings), draw, Processes(), CPU)
    sampler = Uniform(range(1, NUM_ITEMS + 1), num_negatives=2)
    return packed, CapturedStepper(data, settings, model_of(settings), sampler, CPU)


@pytest.fixture
def drawn_by_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captured, "capturable", DrawsOfUsers)


@pytest.mark.usefixtures("drawn_by_users")
@pytest.mark.parametrize("loss", LOSSES)
def test_losses_gradients_and_weights_are_those_of_packed_batches(
    data: Training, loss: Any
) -> None:
    packed, padded = steppers(data, replace(SETTINGS, loss=loss, dropout=0.0))
    order = np.random.default_rng(0).permutation(len(data.users))
    for first in (0, 16, 32, 48, 0):
        places = order[first : first + 16]  # the fourth has 12
        ours, theirs = padded.take(places), packed.take(places)
        torch.testing.assert_close(ours.loss, theirs.loss.detach(), rtol=1e-5, atol=1e-6)
        assert ours.num_draws == theirs.num_draws
        for one, other in zip(padded.model.parameters(), packed.model.parameters(), strict=True):
            assert one.grad is not None
            assert other.grad is not None
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-7)
    for name, value in padded.model.state_dict().items():
        difference = (value - packed.model.state_dict()[name]).abs()
        if name.endswith("queries_keys_values.bias"):  # the keys' has no gradient but rounding,
            difference = difference.view(3, -1)[[0, 2]]  # of which Adam makes a step
        assert float(difference.max()) < 1e-5, name


@pytest.mark.usefixtures("drawn_by_users")
def test_a_loss_that_counted_padding_would_be_seen(
    data: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed, padded = steppers(data, replace(SETTINGS, dropout=0.0))
    monkeypatch.setitem(LOSSES, "nce", lambda *given: nce_loss(*given[:4]))
    ours, theirs = (float(each.take(np.arange(16)).loss.detach()) for each in (padded, packed))
    assert abs(ours - theirs) > 1e-3


@pytest.mark.parametrize("loss", [nce_loss, bpr_loss, sampled_softmax_loss])
def test_rows_that_are_masked_do_not_count(loss: Any) -> None:
    generator = torch.Generator().manual_seed(2)
    queries, items = (torch.randn(size, 4, generator=generator) for size in (6, 9))
    targets, drawn = torch.arange(1, 7), torch.arange(6)[:, None].expand(6, 3) + 2
    log_q = -torch.rand(6, 3, generator=generator)
    mask = torch.tensor([True, False, True, True, False, True])
    queries[1] = 1e30  # would be an infinite loss
    queries.requires_grad_()
    found = loss(queries, items, targets, Negatives(drawn, log_q), mask)
    kept = Negatives(drawn[mask], log_q[mask])
    torch.testing.assert_close(found, loss(queries[mask], items, targets[mask], kept))
    found.backward()
    assert queries.grad is not None
    assert bool((queries.grad[~mask] == 0).all())
    assert bool((queries.grad[mask] != 0).all())


def test_what_lies_on_the_device_is_the_padded_data_and_an_empty_row(data: Training) -> None:
    resident = ResidentTraining.of(data, 6, CPU)
    assert len(resident) == len(data.users) == 60
    places = torch.tensor([7, 60, 3])
    inputs, targets, users = resident.take(places)
    rows = np.array([7, 3])
    for found, kept in ((inputs, data.inputs.take(rows)), (targets, data.targets.take(rows))):
        expected = pad(kept.item_ids, kept.offsets, 6).item_ids
        assert torch.equal(found[[0, 2]], expected)
        assert not bool(found[1].any())
    assert users.tolist() == [data.users[7], 0, data.users[3]]


@pytest.mark.usefixtures("drawn_by_users")
@pytest.mark.parametrize("steps_before", [0, 2])
def test_warming_up_changes_nothing(data: Training, steps_before: int) -> None:
    stepper = steppers(data, SETTINGS)[1]
    for _ in range(steps_before):
        stepper.take(np.arange(16))
    before = [weight.detach().clone() for weight in stepper.model.parameters()]
    state, random = stepper.optimizer.state_dict()["state"], torch.get_rng_state()
    kept = {n: {k: v.clone() for k, v in values.items()} for n, values in state.items()}
    stepper._replay.capture()
    assert stepper._draw.calls == steps_before  # type: ignore[attr-defined]
    assert torch.equal(torch.get_rng_state(), random)
    for weight, value in zip(stepper.model.parameters(), before, strict=True):
        assert torch.equal(weight, value)
        assert weight.grad is None
    for number, values in stepper.optimizer.state_dict()["state"].items():
        for key, value in values.items():
            expected = kept[number][key] if steps_before else torch.zeros_like(value)
            assert torch.equal(value, expected)


@pytest.mark.usefixtures("drawn_by_users")
def test_one_capture_serves_all_batches_until_a_schedule_moves(
    data: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    stepper, runs, places = steppers(data, SETTINGS)[1], [0], np.arange(16)
    step = stepper._step

    def counted() -> None:
        runs[0] += 1
        step()

    stepper._replay._step = counted
    for batch in (places, places[:3], places):
        stepper.take(batch)
    assert runs[0] == WARM_UP_STEPS + 3
    monkeypatch.setattr(stepper._draw, "follow", lambda: False)
    stepper.take(places)
    assert runs[0] == 2 * WARM_UP_STEPS + 4


def replay_of(step: Callable[[], None], device: torch.device) -> Replay:
    model = torch.nn.Linear(2, 1)
    return Replay(step, model, torch.optim.Adam(model.parameters()), nullcontext, device)


def test_a_warm_up_is_not_taken_for_steps_without_a_graph() -> None:
    """An optimiser that can be captured warns of those, on CUDA."""

    def step() -> None:
        warnings.warn(
            "This instance was constructed with capturable=True or some of all the param_groups "
            "came with capturable=True, but step() is running without CUDA graph capture.",
            UserWarning,
            stacklevel=2,
        )

    replay_of(step, CPU).capture()
    with pytest.warns(UserWarning, match="capturable=True"):
        step()


@pytest.mark.parametrize("collects", [True, False])
def test_no_garbage_is_collected_during_a_capture(
    collects: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may hold another graph, and to destroy one is not permitted then."""
    context: Any = lambda *_, **__: nullcontext()  # noqa: E731
    for name in ("device", "stream", "graph"):
        monkeypatch.setattr(torch.cuda, name, context)
    for name in ("CUDAGraph", "Stream", "current_stream"):
        monkeypatch.setattr(torch.cuda, name, Mock)
    monkeypatch.setattr("torch.random.fork_rng", context)
    seen: list[bool] = []
    replay = replay_of(lambda: seen.append(gc.isenabled()), torch.device("cuda"))
    was_enabled = gc.isenabled()
    try:
        (gc.enable if collects else gc.disable)()
        replay.capture()
        assert gc.isenabled() == collects
    finally:
        (gc.enable if was_enabled else gc.disable)()
    assert seen == [collects] * WARM_UP_STEPS + [False]


@pytest.fixture
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take captured steps on a CPU, where Triton interprets the kernels."""
    pytest.importorskip("triton", reason="Triton is not installed")
    monkeypatch.setattr("negsamp_models.training.trainer.check_cuda_graphs", lambda *_: None)
    monkeypatch.setattr("negsamp_torch.TorchBackend.fused", True)


SAMPLERS: dict[str, dict[str, Any]] = {
    "uniform": {"sampler": "uniform", "num_negatives": 2},
    "popularity": {"sampler": "popularity"},
    "genni": GENNI | {"backend": "torch"},
}


SHORT = replace(SETTINGS, max_epochs=2, batch_size=8, max_length=4, num_layers=1)


@pytest.fixture(scope="module")
def few(dataset: Dataset) -> Dataset:
    """Twelve users: the second batch of an epoch has four."""
    lists = [items.tolist() for user, items in enumerate(dataset.sequences) if user < 12]
    return Dataset("few", Sequences.from_lists(lists), NUM_ITEMS)


def trainer_of(few: Dataset, config: dict[str, Any], folder: Path | None = None) -> Trainer:
    trainer = Trainer(few, config, SHORT, cuda_graphs=True)
    if folder is not None:
        checkpoints = CheckpointFolder(folder, trainer.identity)
        trainer.saver = Saver(checkpoints, RunOptions(), Processes())
    return trainer


class Twin:
    """A sampler that draws each batch of a trainer once more, by `sample`."""

    def __init__(self, trainer: Trainer, twin: Sampler, monkeypatch: pytest.MonkeyPatch) -> None:
        assert isinstance(trainer.stepper, CapturedStepper)
        self.sampler, self.num_equal, self.num_rehearsed = twin, 0, 0
        self.take, self.draw = trainer.stepper.take, trainer.stepper._draw.__call__
        monkeypatch.setattr(trainer.stepper, "take", self.take_beside)
        monkeypatch.setattr(Capturable, "__call__", self.draw_noted)
        for name in ("update", "set_epoch"):
            monkeypatch.setattr(trainer.sampler, name, self.both(trainer.sampler, name))

    def both(self, sampler: Sampler, name: str) -> Callable[[Any], None]:
        ask, ask_twin = getattr(sampler, name), getattr(self.sampler, name)
        return lambda value: (ask(value), ask_twin(value))[0]

    def draw_noted(self, targets: Tensor, *, score: DotProduct, **given: Any) -> Negatives:
        held = DotProduct(score.queries.detach().clone(), score.items.detach().clone())
        self.asked = {"targets": targets, "score": held, **given}
        self.drawn = self.draw(targets, score=score, **given)
        self.num_rehearsed += 1
        return self.drawn

    def take_beside(self, places: Int64Array) -> Step:
        step = self.take(places)  # draws to warm up, and then to count
        self.num_rehearsed -= 1
        expected = self.sampler.sample(**self.asked)
        self.num_equal += all(map(torch.equal, self.drawn, expected))
        assert int((self.drawn.item_ids > 0).sum()) == step.num_draws
        return step


@pytest.mark.usefixtures("on_the_cpu")
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_run_draws_what_the_sampler_would_draw(
    few: Dataset, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("negsamp_models.training.replay.WARM_UP_STEPS", 1)
    lists = [items.tolist() for user, items in enumerate(few.sequences) if user < 3]
    fewer = Dataset("fewer", Sequences.from_lists(lists), NUM_ITEMS)
    settings = replace(SHORT, batch_size=2)  # and then one
    trainer, other = (Trainer(fewer, SAMPLERS[name], settings, cuda_graphs=True) for _ in range(2))
    twin = Twin(trainer, other.sampler, monkeypatch)
    records = trainer.run().epochs
    assert twin.num_equal == 4
    assert twin.num_rehearsed == (2 if name == "genni" else 1)  # its beta moves with each epoch
    assert trainer.sampler.state_dict() == twin.sampler.state_dict()
    assert twin.sampler.state_dict()["call"] == 4
    if name == "genni":
        assert [record.beta for record in records] == pytest.approx([0.2, 0.2 * 10**0.5])
        assert records[0].alpha != GENNI["alpha"]["initial"]


class DrawsOfTheSampler:
    """Stands in for capturable draws where the interpreter would take long."""

    def __init__(self, sampler: GenNi, _: torch.device) -> None:
        self.sampler, self.call = sampler, sampler.state_dict()["call"]
        self.fixed: tuple[float, bool] | None = None

    def __call__(self, targets: Tensor, **given: Any) -> Negatives:
        self.fixed = self.moving
        return self.sampler.sample(targets, **given)

    @property
    def moving(self) -> tuple[float, bool]:
        return self.sampler.beta, self.sampler.alpha == 0

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        before = self.sampler.state_dict()
        yield
        self.sampler.load_state_dict(before)

    def follow(self) -> bool:
        return self.fixed in (None, self.moving)

    def settle(self) -> None:
        pass


@pytest.fixture
def drawn_by_the_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("negsamp_models.training.trainer.check_cuda_graphs", lambda *_: None)
    monkeypatch.setattr(captured, "capturable", DrawsOfTheSampler)


@pytest.mark.usefixtures("drawn_by_the_sampler")
def test_schedules_move_with_epochs_and_losses(few: Dataset) -> None:
    alpha = {"schedule": "loss_driven", "initial": 0.125, "step": 0.125}
    trainer = trainer_of(few, GENNI | {"alpha": alpha})
    assert isinstance(trainer.stepper, CapturedStepper)
    captures, capture = [], trainer.stepper._replay.capture

    def capture_noted() -> None:
        captures.append((trainer.state.epoch, trainer.state.batch))
        capture()

    trainer.stepper._replay.capture = capture_noted  # type: ignore[method-assign]
    records = trainer.run().epochs
    assert [record.beta for record in records] == pytest.approx([0.2, 0.2 * 10**0.5])
    assert captures == sorted({*captures, (0, 0), (1, 0)})


def finish_from(
    few: Dataset, config: dict[str, Any], folder: Path, num_batches: int
) -> tuple[Trainer, Any]:
    """Stop a run after some batches; return one that went on from there, and its result."""
    stopped = trainer_of(few, config, folder)
    stopped.watcher = StopAfter(stopped, num_batches)
    with pytest.raises(RunStoppedError, match="the run is saved"):
        stopped.run()
    torch.manual_seed(99)
    resumed = trainer_of(few, config, folder)
    resumed.stepper.take(np.arange(8))  # what is captured here is of other states
    assert resumed.saver is not None
    checkpoint = resumed.saver.folder.last(pytest.fail)
    assert checkpoint is not None
    resumed.restore(checkpoint)
    return resumed, untimed(resumed.run().to_json())


def assert_same_end(one: Trainer, other: Trainer) -> None:
    assert one.sampler.state_dict() == other.sampler.state_dict()
    for weight, value in zip(one.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(weight, value)
    steps = [each.stepper.optimizer.state_dict()["state"] for each in (one, other)]
    for number, values in steps[0].items():
        for key, value in values.items():
            assert torch.equal(value, steps[1][number][key]), (number, key)


@pytest.mark.usefixtures("drawn_by_the_sampler")
@pytest.mark.parametrize("num_batches", [1, 2, 3])
def test_a_stopped_run_goes_on_bit_for_bit(few: Dataset, tmp_path: Path, num_batches: int) -> None:
    straight = trainer_of(few, GENNI)
    expected = untimed(straight.run().to_json())
    resumed, result = finish_from(few, GENNI, tmp_path, num_batches)
    assert result == expected
    assert_same_end(resumed, straight)


@pytest.mark.usefixtures("on_the_cpu")
def test_the_number_of_the_call_comes_from_the_device_into_a_checkpoint(
    few: Dataset, tmp_path: Path
) -> None:
    straight = trainer_of(few, SAMPLERS["uniform"])
    expected = untimed(straight.run().to_json())
    resumed, result = finish_from(few, SAMPLERS["uniform"], tmp_path, 1)
    assert result == expected
    assert_same_end(resumed, straight)
    assert resumed.sampler.state_dict()["call"] == 2 * SHORT.max_epochs


@pytest.mark.usefixtures("on_the_cpu")
def test_it_belongs_to_what_a_run_is(few: Dataset, tmp_path: Path) -> None:
    trainer = trainer_of(few, SAMPLERS["uniform"], tmp_path)
    trainer.watcher = StopAfter(trainer, 1)
    with pytest.raises(RunStoppedError):
        trainer.run()
    packed = Trainer(few, SAMPLERS["uniform"], SHORT)
    with pytest.raises(CheckpointError, match="cuda_graphs is True there"):
        CheckpointFolder(tmp_path, packed.identity).last(lambda _: None)


@pytest.mark.usefixtures("on_the_cpu")
def test_a_score_that_is_not_finite_stops_the_run(few: Dataset) -> None:
    trainer = trainer_of(few, {"sampler": "genni", "alpha": 1.0})
    with torch.no_grad():
        trainer.model.items.weight[13] = torch.nan  # may be in no row of the batch
        trainer.model.items.weight[13, 0] = torch.inf
    with pytest.raises(TrainingDivergedError, match=r"in (one of the first 1 batches|batch 1) of"):
        trainer.run()


@pytest.mark.usefixtures("drawn_by_the_sampler")
def test_a_run_in_a_folder_says_what_it_knows(few: Dataset, tmp_path: Path) -> None:
    options = RunOptions(tensorboard=True, cuda_graphs=True)
    quiet = Console(file=io.StringIO())
    train_in_folder(few, GENNI, SHORT, tmp_path, options, quiet, Processes())
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["environment"]["cuda_graphs"] is True
    assert [record["sampling_seconds"] for record in result["epochs"]] == [0.0, 0.0]
    assert all(record["num_draws"] > 0 for record in result["epochs"])
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["draws_per_second"] for line in lines[1:]] == [None, None]


def test_where_it_cannot_be() -> None:
    with pytest.raises(ConfigError, match="needs a CUDA device; the device of this run is cpu"):
        check_cuda_graphs(Processes(), CPU)
    with pytest.raises(ConfigError, match="needs a single process: start the run without torchrun"):
        check_cuda_graphs(Processes(0, 2), torch.device("cuda"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("negsamp_torch.fused.works_on", lambda _: False)
        with pytest.raises(ConfigError, match="needs Triton, and a GPU that its kernels run on"):
            check_cuda_graphs(Processes(), torch.device("cuda"))


def test_a_trainer_on_a_cpu_refuses(few: Dataset) -> None:
    with pytest.raises(ConfigError, match=r"^cuda_graphs needs a CUDA device"):
        Trainer(few, SAMPLERS["uniform"], replace(SHORT, device="cpu"), cuda_graphs=True)


@pytest.mark.usefixtures("on_the_cpu")
@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_asks_the_host_for_nothing(
    few: Dataset, loss: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The noise of dropout, which is made otherwise on CUDA, is left out; so are the kernels."""
    monkeypatch.setattr("triton.runtime.interpreter.GridExecutor.__call__", lambda *_, **__: None)
    monkeypatch.setattr(torch, "empty", torch.zeros)  # what kernels would have written
    settings = replace(SHORT, loss=loss, dropout=0.0)
    stepper = Trainer(few, GENNI, settings, cuda_graphs=True).stepper
    assert isinstance(stepper, CapturedStepper)
    stepper.take(np.arange(8))
    with NothingForTheHost():  # type: ignore[no-untyped-call]
        stepper._step()
