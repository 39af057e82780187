"""Pre-training: it learns, a seed decides it, and a run that was cut off goes on bit for bit."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from negsamp import ConfigError, GenNi, InvalidInputError, InvalidScoresError
from negsamp_models.checkpoints import CheckpointError, CheckpointFolder, Saver
from negsamp_models.datasets import (
    Dataset,
    DatasetError,
    ItemAttributes,
    Sequences,
    SyntheticParameters,
    generate_synthetic,
)
from negsamp_models.processes import Processes, RunStoppedError
from negsamp_models.s3rec import Pretrainer, PretrainingResult
from negsamp_models.s3rec.watching import Silent
from negsamp_models.settings import (
    OBJECTIVES,
    ObjectiveWeights,
    PretrainingSettings,
    RunOptions,
    TrainingSettingsError,
    published_epochs,
)
from negsamp_models.training import TrainingDivergedError

SETTINGS = PretrainingSettings(
    epochs=2, batch_size=40, hidden_size=8, num_layers=2, num_heads=1, max_length=6, dropout=0.2
)
GENNI = {
    "sampler": "genni",
    "alpha": {"schedule": "loss_driven", "initial": 1.0, "step": 0.125},
    "beta": 0.5,
}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return generate_synthetic(SyntheticParameters(num_users=60, num_items=24, num_clusters=4))


def untimed(result: PretrainingResult) -> dict[str, Any]:
    content = result.to_json()
    content["epochs"] = [(record["epoch"], record["losses"]) for record in content["epochs"]]
    return content


def weights_of(pretrainer: Pretrainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in pretrainer.model.state_dict().items()}


def test_each_loss_falls() -> None:
    tiny = generate_synthetic(
        SyntheticParameters(num_users=200, num_items=60, num_clusters=6, follow=0.6, stay=0.35)
    )
    settings = PretrainingSettings(
        epochs=25, batch_size=100, hidden_size=16, max_length=8, dropout=0.1, learning_rate=3e-3
    )
    records = Pretrainer(tiny, settings).run().epochs
    first, last = records[0].losses, records[-1].losses
    assert list(first) == list(OBJECTIVES)
    for name, bound in zip(OBJECTIVES, (0.5, 0.95, 0.65, 0.95), strict=True):
        assert last[name] < bound * first[name], name


def test_losses_begin_at_those_of_a_model_that_knows_nothing(dataset: Dataset) -> None:
    settings = replace(SETTINGS, epochs=1, learning_rate=1e-9)
    losses = Pretrainer(dataset, settings).run().epochs[0].losses
    num_attributes = 4
    assert losses["masked_items"] == pytest.approx(np.log(2), abs=1e-3)
    assert losses["segments"] == pytest.approx(np.log(2), abs=5e-3)
    assert losses["associated_attributes"] == pytest.approx(num_attributes * np.log(2), abs=0.02)
    assert losses["masked_attributes"] == pytest.approx(num_attributes * np.log(2), abs=0.02)


@pytest.mark.parametrize("config", [{"sampler": "uniform"}, GENNI], ids=["uniform", "genni"])
def test_a_seed_decides_a_run(dataset: Dataset, config: dict[str, Any]) -> None:
    results, weights = [], []
    for seed in (0, 0, 1):
        pretrainer = Pretrainer(dataset, replace(SETTINGS, seed=seed), config)
        results.append(untimed(pretrainer.run()))
        weights.append(weights_of(pretrainer))
    assert results[0] == results[1]
    assert results[0]["epochs"] != results[2]["epochs"]
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name
        assert not torch.equal(value, weights[2][name]), name


@pytest.mark.parametrize("config", [{"sampler": "popularity", "gamma": 0.75}, GENNI])
def test_held_out_items_change_nothing(dataset: Dataset, config: dict[str, Any]) -> None:
    items = dataset.sequences.item_ids.copy()
    ends = dataset.sequences.offsets[1:]
    for back in (1, 2):
        items[ends - back] = items[ends - back] % dataset.num_items + 1
    other = replace(dataset, sequences=Sequences(items, dataset.sequences.offsets))
    results, weights = [], []
    for each in (dataset, other):
        pretrainer = Pretrainer(each, SETTINGS, config)
        results.append(untimed(pretrainer.run()))
        weights.append(weights_of(pretrainer))
    assert results[0] == results[1]
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name


def test_one_prefix_a_batch(dataset: Dataset) -> None:
    few = replace(dataset, sequences=dataset.sequences.take(np.arange(4)))
    pretrainer = Pretrainer(few, replace(SETTINGS, batch_size=1, epochs=1, mask_probability=1.0))
    record = pretrainer.run().epochs[0]
    assert record.losses["associated_attributes"] == 0  # nothing is left unmasked
    assert all(value > 0 for name, value in record.losses.items() if name != OBJECTIVES[0])


def test_genni_follows_the_loss(dataset: Dataset) -> None:
    pretrainer = Pretrainer(dataset, SETTINGS, GENNI)
    result = pretrainer.run()
    assert isinstance(pretrainer.sampler, GenNi)
    assert pretrainer.sampler.alpha != 1.0
    uniform = Pretrainer(dataset, SETTINGS).run()
    assert result.epochs[0].losses["masked_items"] != uniform.epochs[0].losses["masked_items"]
    assert result.epochs[0].sampling_seconds > 0


def test_a_weight_of_zero_leaves_its_map_alone(dataset: Dataset) -> None:
    weights = ObjectiveWeights(segments=0.0, masked_items=0.0)
    pretrainer = Pretrainer(dataset, replace(SETTINGS, weights=weights))
    before = weights_of(pretrainer)
    pretrainer.run()
    after = weights_of(pretrainer)
    for name in OBJECTIVES:
        idle = name in ("segments", "masked_items")
        assert torch.equal(before[f"{name}.weight"], after[f"{name}.weight"]) == idle, name


class StopAfter(Silent):
    """Asks its run to stop when so many batches are done."""

    def __init__(self, pretrainer: Pretrainer, num_batches: int) -> None:
        self.pretrainer, self.left = pretrainer, num_batches

    def on_batch(
        self, epoch: int, batch: int, num_batches: int, losses: Mapping[str, float]
    ) -> None:
        self.left -= 1
        if self.left == 0:
            self.pretrainer.stop.received = signal.SIGTERM


def saved(dataset: Dataset, path: Path) -> Pretrainer:
    pretrainer = Pretrainer(dataset, SETTINGS, GENNI)
    folder = CheckpointFolder(path, pretrainer.identity)
    pretrainer.saver = Saver(folder, RunOptions(), Processes())
    return pretrainer


@pytest.mark.parametrize(("num_batches", "position"), [(1, (0, 1)), (7, (0, 7)), (12, (1, 4))])
def test_a_stopped_run_goes_on_bit_for_bit(
    dataset: Dataset, tmp_path: Path, num_batches: int, position: tuple[int, int]
) -> None:
    straight = Pretrainer(dataset, SETTINGS, GENNI)
    expected = straight.run()
    stopped = saved(dataset, tmp_path)
    stopped.watcher = StopAfter(stopped, num_batches)
    with pytest.raises(RunStoppedError, match="the run is saved") as caught:
        stopped.run()
    assert caught.value.exit_status == 128 + signal.SIGTERM
    torch.manual_seed(99)
    resumed = saved(dataset, tmp_path)
    assert resumed.saver is not None
    checkpoint = resumed.saver.folder.last(pytest.fail)
    assert checkpoint is not None
    assert (checkpoint.epoch, checkpoint.batch) == position
    resumed.restore(checkpoint)
    assert untimed(resumed.run()) == untimed(expected)
    theirs = weights_of(resumed)
    for name, value in weights_of(straight).items():
        assert torch.equal(value, theirs[name]), name


def test_a_checkpoint_of_another_run_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    stopped = saved(dataset, tmp_path)
    stopped.watcher = StopAfter(stopped, 3)
    with pytest.raises(RunStoppedError):
        stopped.run()
    other = Pretrainer(dataset, replace(SETTINGS, mask_probability=0.3), GENNI)
    with pytest.raises(CheckpointError, match=r"mask_probability is 0.2 there, 0.3 here"):
        CheckpointFolder(tmp_path, other.identity).last(lambda _: None)


def test_a_checkpoint_beyond_the_end_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    stopped = saved(dataset, tmp_path)
    stopped.watcher = StopAfter(stopped, 12)
    with pytest.raises(RunStoppedError):
        stopped.run()
    shorter = Pretrainer(dataset, replace(SETTINGS, epochs=1), GENNI)
    checkpoint = CheckpointFolder(tmp_path, shorter.identity).last(pytest.fail)
    assert checkpoint is not None
    with pytest.raises(
        CheckpointError, match=r"epochs must be >= 2 .* 1 epoch and 4 batches; got 1"
    ):
        shorter.restore(checkpoint)
    longer = Pretrainer(dataset, replace(SETTINGS, epochs=3), GENNI)
    longer.restore(checkpoint)
    assert [record.epoch for record in longer.run().epochs] == [0, 1, 2]


def test_a_loss_that_is_not_finite_stops_the_run(dataset: Dataset) -> None:
    pretrainer = Pretrainer(dataset, SETTINGS)
    with torch.no_grad():
        pretrainer.model.segments.bias.fill_(torch.nan)
    with pytest.raises(
        TrainingDivergedError, match="the loss of segments is not finite in batch 1 of epoch 1"
    ):
        pretrainer.run()


def test_a_score_that_is_told_of_late_stops_the_run(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell(*_: object) -> None:
        raise InvalidScoresError("row (1,) has a score that is NaN")

    pretrainer = Pretrainer(dataset, SETTINGS, GENNI)
    monkeypatch.setattr(pretrainer.sampler, "update", tell)
    with pytest.raises(TrainingDivergedError, match="a score is not finite in batch 1 of epoch 1"):
        pretrainer.run()


def test_results_survive_json(dataset: Dataset) -> None:
    result = Pretrainer(dataset, replace(SETTINGS, epochs=1)).run()
    assert PretrainingResult.from_json(result.to_json()) == result
    with pytest.raises(InvalidInputError, match="must have the keys dataset, num_prefixes"):
        PretrainingResult.from_json({"dataset": "tiny"})


def test_settings_are_the_published_ones() -> None:
    settings = PretrainingSettings()
    assert asdict(settings.weights) == {
        "associated_attributes": 0.2,
        "masked_items": 1.0,
        "masked_attributes": 1.0,
        "segments": 0.5,
    }
    assert (settings.epochs, settings.batch_size, settings.mask_probability) == (150, 100, 0.2)
    names = ("Beauty", "Toys_and_Games", "Sports_and_Outdoors", "Yelp", "mine")
    assert [published_epochs(name) for name in names] == [150, 150, 100, 100, 150]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mask_probability": 1.5}, r"mask_probability must be in \[0, 1\]; got 1.5"),
        ({"learning_rate": 0.0}, "learning_rate must be > 0; got 0.0"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\); got 1.0"),
        ({"max_length": 1}, "max_length must be >= 2, as one item is not a sequence; got 1"),
        ({"epochs": 0}, "epochs must be an integer >= 1; got 0"),
    ],
)
def test_wrong_settings(changes: dict[str, Any], message: str) -> None:
    with pytest.raises((TrainingSettingsError, ConfigError), match=message):
        replace(SETTINGS, **changes)


def test_wrong_weights() -> None:
    with pytest.raises(TrainingSettingsError, match=r"^segments must be >= 0; got -1"):
        ObjectiveWeights(segments=-1.0)
    with pytest.raises(TrainingSettingsError, match="at least one weight of the objectives"):
        ObjectiveWeights(0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "attributes", [None, ItemAttributes(np.empty(0, np.int64), np.zeros(26, np.int64))]
)
def test_a_data_set_without_attributes(dataset: Dataset, attributes: ItemAttributes | None) -> None:
    bare = replace(dataset, name="mine", attributes=attributes)
    with pytest.raises(DatasetError, match=r"mine has no attributes, .* mine_item2att"):
        Pretrainer(bare, SETTINGS)


def test_other_bad_input_comes_before_training(dataset: Dataset) -> None:
    with pytest.raises(InvalidInputError, match="divide hidden_size; got num_heads 3"):
        Pretrainer(dataset, replace(SETTINGS, num_heads=3))
    with pytest.raises(ConfigError, match="did you mean 'genni'"):
        Pretrainer(dataset, SETTINGS, {"sampler": "geni"})
    short = Sequences.from_lists([[1, 2, 3, 4, 5], [1, 2, 3]])
    with pytest.raises(DatasetError, match="1 of 2 users of synthetic have fewer than 4 items"):
        Pretrainer(replace(dataset, sequences=short), SETTINGS)
