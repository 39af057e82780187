"""Runs: reproducible, stopped in time, left with their best weights, and never told the answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from negsamp import ConfigError, GenNi, InvalidScoresError, Negatives
from negsamp_models.checkpoints import Saver
from negsamp_models.datasets import Dataset, LeaveOneOut, Sequences
from negsamp_models.datasets.sequences import Int64Array
from negsamp_models.display.tables import markdown, summarise
from negsamp_models.records import EpochRecord, RunResult
from negsamp_models.settings import RunOptions, TrainingSettings, TrainingSettingsError
from negsamp_models.training import Trainer, TrainingDivergedError
from negsamp_models.training.samplers import build_sampler
from negsamp_models.training.steps import Step, Stepper
from negsamp_models.training.watching import Silent
from tests.models.made_up import tiny_dataset
from tests.models.outcomes import untimed

SETTINGS = TrainingSettings(
    max_epochs=3, batch_size=16, hidden_size=8, num_layers=1, num_heads=1, max_length=6, dropout=0.2
)
SAMPLERS: list[dict[str, Any]] = [
    {"sampler": "uniform"},
    {"sampler": "popularity", "gamma": 0.75, "num_negatives": 3},
    {"sampler": "genni", "alpha": {"schedule": "loss_driven", "initial": 1.0}, "beta": 0.5},
]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return tiny_dataset(seed=3)


class Recorder(Silent):
    def __init__(self) -> None:
        self.batches: list[tuple[int, int, int]] = []
        self.epochs: list[EpochRecord] = []
        self.notices: list[str] = []

    def on_notice(self, message: str) -> None:
        self.notices.append(message)

    def on_batch(self, epoch: int, batch: int, num_batches: int, loss: float) -> None:
        self.batches.append((epoch, batch, num_batches))

    def on_epoch(self, record: EpochRecord, best_epoch: int) -> None:
        self.epochs.append(record)


@pytest.mark.parametrize("config", SAMPLERS, ids=lambda config: config["sampler"])
def test_a_seed_decides_a_run(dataset: Dataset, config: dict[str, Any]) -> None:
    first, again = (Trainer(dataset, config, SETTINGS).run() for _ in range(2))
    other = Trainer(dataset, config, replace(SETTINGS, seed=1)).run()
    assert untimed(first.to_json()) == untimed(again.to_json())
    assert [r.loss for r in first.epochs] != [r.loss for r in other.epochs]


def test_the_loss_falls(dataset: Dataset) -> None:
    settings = replace(SETTINGS, max_epochs=30, patience=30, learning_rate=0.01)
    losses = [record.loss for record in Trainer(dataset, SAMPLERS[0], settings).run().epochs]
    assert losses[0] == pytest.approx(2 * np.log(2), abs=0.01)
    assert losses[-1] < 0.9 * losses[0]


def test_best_weights_are_kept_and_patience_stops(dataset: Dataset) -> None:
    settings = replace(SETTINGS, max_epochs=200, patience=2, learning_rate=0.02)
    recorder = Recorder()
    trainer = Trainer(dataset, SAMPLERS[0], settings, recorder)
    result = trainer.run()
    scores = [record.validation["NDCG@10"] for record in result.epochs]
    assert result.best_epoch == int(np.argmax(scores))
    assert len(scores) == result.best_epoch + 1 + settings.patience < settings.max_epochs
    assert result.validation == result.epochs[result.best_epoch].validation
    assert trainer.evaluate(trainer.split.validation).as_percent() == result.validation
    assert recorder.epochs == result.epochs
    assert recorder.batches[:5] == [(0, 0, 4), (0, 1, 4), (0, 2, 4), (0, 3, 4), (1, 0, 4)]


def test_negatives_know_the_training_part_alone(dataset: Dataset) -> None:
    split = LeaveOneOut.of(dataset, SETTINGS.max_length)
    settings = replace(SETTINGS, exclude_interactions=True)
    sampler = build_sampler({"sampler": "uniform"}, dataset, split, settings)
    users = np.arange(dataset.num_users)
    held_out = np.stack([split.validation.answers, split.test.answers], axis=1)
    targets = dataset.sequences.item_ids[dataset.sequences.offsets[:-1]]
    law = sampler.probabilities(targets, users=users)
    assert (law[users[:, None], held_out - 1] > 0).all()
    for user, training_part in enumerate(split.training_part):
        assert (law[user, training_part - 1] == 0).all()

    counts = split.training_part.item_counts(dataset.num_items)[1:].astype(float)
    popularity = build_sampler({"sampler": "popularity", "gamma": 1.0}, dataset, split, SETTINGS)
    weights = np.where(np.arange(1, 21) == targets[0], 0.0, counts)
    np.testing.assert_allclose(
        popularity.probabilities(targets[:1])[0], weights / weights.sum(), rtol=1e-12
    )


def test_a_leak_is_asked_for_by_name_and_told_of(dataset: Dataset) -> None:
    with pytest.raises(TrainingSettingsError, match="leak_held_out must be False unless"):
        replace(SETTINGS, leak_held_out=True)
    settings = replace(SETTINGS, exclude_interactions=True, leak_held_out=True, max_epochs=1)
    recorder = Recorder()
    trainer = Trainer(dataset, {"sampler": "uniform"}, settings, recorder)
    users = np.arange(dataset.num_users)
    targets = dataset.sequences.item_ids[dataset.sequences.offsets[:-1]]
    law = trainer.sampler.probabilities(targets, users=users)
    for user, sequence in enumerate(dataset.sequences):
        assert (law[user, sequence - 1] == 0).all()
    result = trainer.run()
    assert len(recorder.notices) == 1
    assert "this run LEAKS" in recorder.notices[0]
    assert result.settings["leak_held_out"] is True
    assert "LEAKS validation and test items" in markdown(summarise([result]))


def test_schedules_move_with_epochs_and_losses(dataset: Dataset) -> None:
    config = {
        "sampler": "genni",
        "alpha": {"schedule": "loss_driven", "initial": 1.0, "step": 0.125},
        "beta": {"schedule": "exponential", "m": 1, "initial": 0.2},
    }
    trainer = Trainer(dataset, config, SETTINGS)
    records = trainer.run().epochs
    assert [record.beta for record in records] == pytest.approx([0.2, 1.0, 1.0])
    assert all(record.alpha is not None for record in records)
    steps = [(record.alpha or 0.0) * 8 for record in records]
    assert steps == [round(step) for step in steps] != [8.0, 8.0, 8.0]
    assert isinstance(trainer.sampler, GenNi)
    assert trainer.sampler.state_dict()["call"] == 12


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"sampler": "uniform"}, r"the loss is nan in batch 1 of epoch 1 \(Uniform\); lower the"),
        (
            {"sampler": "genni", "alpha": 2.5, "beta": 0.5},
            r"a score is not finite in batch 1 of epoch 1 \(alpha = 2.5, beta = 0.5\); lower the",
        ),
    ],
    ids=["loss", "score"],
)
def test_a_diverged_run_stops_with_what_to_know(
    dataset: Dataset, config: dict[str, Any], message: str
) -> None:
    trainer = Trainer(dataset, config, SETTINGS)
    with torch.no_grad():
        trainer.model.norm.weight.fill_(torch.nan)
    with pytest.raises(TrainingDivergedError, match=message):
        trainer.run()


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("update", "batch 1"),
        ("set_epoch", "a batch before batch 1"),
        ("state_dict", "a batch before batch 1"),
    ],
)
def test_scores_that_are_told_of_late_are_a_diverged_run_too(
    dataset: Dataset, name: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell(*_: object) -> None:
        raise InvalidScoresError("row (1,) has a score that is NaN")

    trainer = Trainer(dataset, SAMPLERS[2], SETTINGS)
    trainer.saver = Saver(None, RunOptions(), trainer.processes)  # type: ignore[arg-type]
    monkeypatch.setattr(trainer.sampler, name, tell)
    with pytest.raises(TrainingDivergedError, match=f"not finite in {where} of epoch 1"):
        trainer._save() if name == "state_dict" else trainer.run()


def test_a_score_that_kernels_find_late_is_a_diverged_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedding that is not finite belongs to an item that nobody has, so that losses are."""
    pytest.importorskip("triton", reason="Triton is not installed")
    monkeypatch.setattr("negsamp_torch.TorchBackend.fused", True)
    monkeypatch.setattr("negsamp_torch.TorchBackend.deferred", True)
    few = Dataset("few", Sequences.from_lists([[1, 2, 3, 4, 5], [3, 4, 5, 6, 7]]), num_items=20)
    config = {"sampler": "genni", "alpha": 1.0, "backend": "torch"}
    trainer = Trainer(few, config, SETTINGS)
    with torch.no_grad():
        trainer.model.item_embeddings[20] = torch.nan
    with pytest.raises(TrainingDivergedError, match="a score is not finite in batch 1 of epoch 1"):
        trainer.run()


class PoisonAtTheEnd(Silent):
    """Ruins the weights after the last step of epoch 1."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def on_batch(self, epoch: int, batch: int, num_batches: int, loss: float) -> None:
        if (epoch, batch) == (1, num_batches - 1):
            with torch.no_grad():
                self.trainer.model.norm.weight.fill_(torch.nan)


def test_a_run_that_diverges_in_its_last_step_stops_at_validation(dataset: Dataset) -> None:
    trainer = Trainer(dataset, {"sampler": "uniform"}, SETTINGS)
    trainer.watcher = PoisonAtTheEnd(trainer)
    with pytest.raises(TrainingDivergedError, match=r"not finite in validation of epoch 2"):
        trainer.run()
    assert len(trainer.state.records) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be > 0; got 0.0"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\); got 1.0"),
        ({"loss": "mse"}, "loss must be 'nce' or 'bpr' or 'sampled_softmax'; got"),
        ({"model": "gru"}, "model must be 'sasrec' or 's3rec'; got 'gru'"),
        ({"leak_held_out": True}, "leak_held_out must be False unless exclude_interactions is"),
    ],
)
def test_wrong_settings(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingSettingsError, match=message):
        replace(SETTINGS, **changes)


COUNTS = ("max_epochs", "patience", "batch_size", "max_length", "hidden_size", "num_layers")


@pytest.mark.parametrize("name", [*COUNTS, "num_heads"])
def test_counts_are_at_least_one(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be an integer >= 1; got 0"):
        replace(SETTINGS, **{name: 0})  # type: ignore[arg-type]


def test_seeds_are_those_of_torch() -> None:
    assert replace(SETTINGS, seed=2**63 - 1).seed == 2**63 - 1
    for seed in (-1, 2**63):
        with pytest.raises(ConfigError, match="seed must be an integer"):
            replace(SETTINGS, seed=seed)


def test_results_survive_json(dataset: Dataset) -> None:
    result = Trainer(dataset, SAMPLERS[2], replace(SETTINGS, max_epochs=1)).run()
    assert RunResult.from_json(result.to_json()) == result


READS = ("item", "tolist", "numpy", "cpu", "__bool__", "__float__", "__int__", "nonzero")


def test_a_step_reads_nothing_back_from_the_device(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of these would make the processor wait for a CUDA device; the sampler is left out."""
    trainer = Trainer(dataset, SAMPLERS[0], SETTINGS)
    stepper, drawn = trainer.stepper, torch.arange(1, 21)
    assert isinstance(stepper, Stepper)

    def draw(targets: Tensor, *_: Tensor) -> Negatives:
        return Negatives(drawn[targets - 1][:, None], torch.zeros(len(targets), 1))

    stepper.draw = draw
    trainer.model.train()
    before = stepper.take(np.arange(16)).loss

    def read(*_: object) -> None:
        pytest.fail("a step reads from the device")

    with monkeypatch.context() as patch:
        for name in READS:
            patch.setattr(torch.Tensor, name, read)
        losses = [stepper.take(np.arange(16)).loss for _ in range(30)]
    assert float(losses[-1]) < float(before)


def test_losses_may_be_read_together(dataset: Dataset) -> None:
    expected, told = Trainer(dataset, SAMPLERS[2], SETTINGS).run(), Recorder()
    trainer = Trainer(dataset, SAMPLERS[2], SETTINGS, told)
    trainer._losses_per_read = 3
    assert untimed(trainer.run().to_json()) == untimed(expected.to_json())
    assert told.batches[:2] == [(0, 0, 4), (0, 1, 4)]


def test_the_batch_whose_loss_is_not_finite_is_named_when_it_is_read_late(dataset: Dataset) -> None:
    trainer = Trainer(dataset, SAMPLERS[0], SETTINGS)
    assert isinstance(trainer.stepper, Stepper)
    trainer._losses_per_read, take, taken = 100, trainer.stepper.take, []

    def take_some(places: Int64Array) -> Step:
        step = take(places)
        taken.append(len(places))
        return step if len(taken) != 3 else replace(step, loss=step.loss * torch.nan)

    trainer.stepper.take = take_some  # type: ignore[method-assign]
    with pytest.raises(TrainingDivergedError, match="the loss is nan in batch 3 of epoch 1"):
        trainer.run()
    assert len(taken) == 4
