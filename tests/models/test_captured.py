"""Steps that are made to be CUDA graphs, taken here one operation after the other.

``test_captured_cuda.py`` looks at the graphs themselves on a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from negsamp import Interactions, Negatives, Uniform
from negsamp_models import captured, training
from negsamp_models.captured import CapturedStepper, check_cuda_graphs
from negsamp_models.checkpoint import CheckpointError, CheckpointFolder
from negsamp_models.datasets import Dataset, Sequences
from negsamp_models.distributed import Processes
from negsamp_models.interruption import RunStoppedError
from negsamp_models.losses import bpr_loss, nce_loss, sampled_softmax_loss
from negsamp_models.packing import pad
from negsamp_models.replay import WARM_UP_STEPS
from negsamp_models.residence import ResidentTraining
from negsamp_models.sasrec import SASRec
from negsamp_models.settings import LOSSES, RunOptions, TrainingSettings, TrainingSettingsError
from negsamp_models.splits import LeaveOneOut, Training
from negsamp_models.steps import Stepper
from negsamp_models.training import Trainer, TrainingDivergedError
from negsamp_models.saving import Saver
from tests.models.outcomes import untimed
from tests.models.test_resume import GENNI, StopAfter

NUM_ITEMS, CPU = 20, torch.device("cpu")
SETTINGS = TrainingSettings(
    max_epochs=3, batch_size=16, hidden_size=8, num_layers=2, num_heads=2, max_length=6, dropout=0.2
)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    random = np.random.default_rng(3)
    lists = [random.permutation(NUM_ITEMS)[: random.integers(5, 12)] + 1 for _ in range(60)]
    return Dataset("tiny", Sequences.from_lists([each.tolist() for each in lists]), NUM_ITEMS)


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

    def draw(targets: Tensor, queries: Tensor, items: Tensor, users: Tensor) -> Negatives:
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
        other = packed.model.state_dict()[name]
        # where the gradient is all rounding, such as that of the keys' bias, Adam's step is +-lr
        close = (value - other).abs() < 1e-5
        assert bool(close.all()) or "queries_keys_values.bias" in name, name


@pytest.mark.usefixtures("drawn_by_users")
def test_a_loss_that_counted_padding_would_be_seen(
    data: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed, padded = steppers(data, replace(SETTINGS, dropout=0.0))
    monkeypatch.setitem(captured.LOSSES, "nce", lambda *given: nce_loss(*given[:4]))
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
