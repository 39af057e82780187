"""A run that was cut off goes on bit for bit."""

from __future__ import annotations

import errno
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from negsamp_models.checkpoints import Checkpoint, CheckpointError, CheckpointFolder, Saver
from negsamp_models.checkpoints.trained_parts import copied
from negsamp_models.datasets import Dataset, Sequences
from negsamp_models.processes import Processes, RunStoppedError
from negsamp_models.records import EpochRecord
from negsamp_models.settings import RunOptions, TrainingSettings
from negsamp_models.training import Trainer
from negsamp_models.training.snapshots import Snapshots, read_snapshots
from tests.models.made_up import GENNI, users_of
from tests.models.outcomes import untimed
from tests.models.stopping import StopAfter

SETTINGS = TrainingSettings(
    max_epochs=4, batch_size=16, hidden_size=8, num_layers=1, num_heads=1, max_length=6, dropout=0.2
)


@pytest.fixture(scope="module")
def lists() -> list[list[int]]:
    return users_of(seed=11)


@pytest.fixture(scope="module")
def dataset(lists: list[list[int]]) -> Dataset:
    return Dataset("tiny", Sequences.from_lists(lists), num_items=20)


def saved_trainer(dataset: Dataset, path: Path, config: dict[str, Any]) -> Trainer:
    trainer = Trainer(dataset, config, SETTINGS)
    folder = CheckpointFolder(path, trainer.identity)
    trainer.saver = Saver(folder, RunOptions(), Processes())
    return trainer


def last_checkpoint(trainer: Trainer) -> Checkpoint:
    assert trainer.saver is not None
    checkpoint = trainer.saver.folder.last(pytest.fail)
    assert checkpoint is not None
    return checkpoint


def checkpoint_after(num_batches: int, trainer: Trainer) -> Checkpoint:
    """Stop a run after so many batches, and return what it saved."""
    trainer.watcher = StopAfter(trainer, num_batches)
    with pytest.raises(RunStoppedError, match="the run is saved"):
        trainer.run()
    return last_checkpoint(trainer)


@pytest.mark.parametrize(
    ("num_batches", "position"), [(1, (0, 1)), (4, (0, 4)), (5, (1, 1)), (11, (2, 3))]
)
def test_a_stopped_run_goes_on_bit_for_bit(
    dataset: Dataset, tmp_path: Path, num_batches: int, position: tuple[int, int]
) -> None:
    straight = Trainer(dataset, GENNI, SETTINGS)
    expected = straight.run()
    checkpoint_after(num_batches, saved_trainer(dataset, tmp_path, GENNI))
    torch.manual_seed(99)
    resumed = saved_trainer(dataset, tmp_path, GENNI)
    checkpoint = last_checkpoint(resumed)
    assert (checkpoint.epoch, checkpoint.batch) == position
    resumed.restore(checkpoint)
    result = resumed.run()
    assert untimed(result.to_json()) == untimed(expected.to_json())
    assert resumed.sampler.state_dict() == straight.sampler.state_dict()
    for name, value in straight.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    steps = [each.stepper.optimizer.state_dict()["state"] for each in (straight, resumed)]
    for number, values in steps[0].items():
        for key, value in values.items():
            assert torch.equal(value, steps[1][number][key]), (number, key)


def test_initial_weights_are_those_before_the_first_batch(dataset: Dataset, tmp_path: Path) -> None:
    trainer = saved_trainer(dataset, tmp_path / "checkpoints", GENNI)
    initial = copied(trainer.model)
    checkpoint = checkpoint_after(2, trainer)
    resumed = Trainer(dataset, GENNI, SETTINGS)
    resumed.watcher = Snapshots(tmp_path / "weights", resumed, (0, 1))
    resumed.restore(checkpoint)
    resumed.run()
    kept = read_snapshots(tmp_path / "weights")
    assert list(kept) == [0, 1]
    for name, value in initial.items():
        assert torch.equal(kept[0][name], value), name
    assert not torch.equal(kept[1]["items.weight"], initial["items.weight"])


@pytest.mark.parametrize("part", ["random.cpu", "optimizer.norm.bias.exp_avg", "model.norm.bias"])
def test_each_part_of_a_checkpoint_matters(dataset: Dataset, tmp_path: Path, part: str) -> None:
    expected = Trainer(dataset, GENNI, SETTINGS).run()
    checkpoint_after(5, saved_trainer(dataset, tmp_path, GENNI))
    resumed = saved_trainer(dataset, tmp_path, GENNI)
    checkpoint = last_checkpoint(resumed)
    other = torch.Generator().manual_seed(5).get_state()[None] if part == "random.cpu" else None
    checkpoint.tensors[part] = checkpoint.tensors[part] + 0.5 if other is None else other
    resumed.restore(checkpoint)
    result = resumed.run()
    assert [each.loss for each in result.epochs] != [each.loss for each in expected.epochs]


@pytest.mark.parametrize("name", ["sampler", "records", "losses"])
def test_a_checkpoint_that_lacks_a_part_is_refused(
    dataset: Dataset, tmp_path: Path, name: str
) -> None:
    checkpoint = checkpoint_after(2, saved_trainer(dataset, tmp_path, GENNI))
    checkpoint.state["unknown"] = checkpoint.state.pop(name)
    with pytest.raises(CheckpointError, match=r"000000-000002 does not fit this negsamp"):
        Trainer(dataset, GENNI, SETTINGS).restore(checkpoint)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"learning_rate": 0.5}, "settings.learning_rate is 0.001 there, 0.5 here"),
        ({"seed": 3}, "settings.seed is 0 there, 3 here"),
        ({"hidden_size": 16}, "settings.hidden_size is 8 there, 16 here"),
    ],
)
def test_other_settings_are_refused(
    dataset: Dataset, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    checkpoint_after(1, saved_trainer(dataset, tmp_path, GENNI))
    other = Trainer(dataset, GENNI, replace(SETTINGS, **changes))
    with pytest.raises(CheckpointError, match=reason):
        CheckpointFolder(tmp_path, other.identity).last(lambda _: None)
    longer = Trainer(dataset, GENNI, replace(SETTINGS, max_epochs=9, patience=1))
    assert CheckpointFolder(tmp_path, longer.identity).last(pytest.fail) is not None


def test_a_checkpoint_beyond_the_end_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    checkpoint_after(9, saved_trainer(dataset, tmp_path, GENNI))
    shorter = Trainer(dataset, GENNI, replace(SETTINGS, max_epochs=2))
    checkpoint = CheckpointFolder(tmp_path, shorter.identity).last(pytest.fail)
    assert checkpoint is not None
    with pytest.raises(CheckpointError, match=r"max_epochs must be >= 3 .* and 1 batch; got 2"):
        shorter.restore(checkpoint)
    longer = Trainer(dataset, GENNI, replace(SETTINGS, max_epochs=3))
    longer.restore(checkpoint)
    assert [record.epoch for record in longer.run().epochs] == [0, 1, 2]


@pytest.mark.parametrize(
    ("scores", "batch", "patience"),
    [
        ([3, 1, 2, 4, 1, 2], 0, 3),  # the last wait is at its end just now
        ([3, 1, 2, 4, 1, 2], 1, 3),
        ([3, 4, 5], 1, 1),
        ([3, 4, 2], 0, 1),
        ([3, 4, 2], 1, 2),
        ([], 1, 1),
    ],
)
def test_a_checkpoint_beyond_the_patience_is_refused(
    dataset: Dataset, tmp_path: Path, scores: list[float], batch: int, patience: int
) -> None:
    found = checkpoint_after(1, saved_trainer(dataset, tmp_path, GENNI))
    records = [
        asdict(EpochRecord(epoch, 1.0, None, None, 1.0, 0.1, 0.1, {"NDCG@10": score}))
        for epoch, score in enumerate(scores)
    ]
    checkpoint = replace(
        found, epoch=len(scores), batch=batch, state=found.state | {"records": records}
    )
    settings = replace(SETTINGS, max_epochs=9, patience=patience)
    Trainer(dataset, GENNI, settings).restore(checkpoint)
    if patience > 1:
        shorter = Trainer(dataset, GENNI, replace(settings, patience=patience - 1))
        words = (
            rf"must be >= {patience} .* after {patience - 1} epochs? without .*; got {patience - 1}"
        )
        with pytest.raises(CheckpointError, match=words):
            shorter.restore(checkpoint)


def test_another_catalogue_is_refused(
    dataset: Dataset, lists: list[list[int]], tmp_path: Path
) -> None:
    checkpoint_after(1, saved_trainer(dataset, tmp_path, GENNI))
    larger = Dataset("tiny", dataset.sequences, num_items=21)
    swapped = Dataset("tiny", Sequences.from_lists([lists[0][::-1], *lists[1:]]), num_items=20)
    for other, reason in ((larger, "num_items is 20 there, 21 here"), (swapped, "sha256 is")):
        identity = Trainer(other, GENNI, SETTINGS).identity
        with pytest.raises(CheckpointError, match=f"dataset.{reason}"):
            CheckpointFolder(tmp_path, identity).last(lambda _: None)


class FailingFolder(CheckpointFolder):
    """A folder on a disk that is full now and then."""

    calls = 0

    def save(self, checkpoint: Checkpoint) -> None:
        self.calls += 1
        if self.calls in (2, 3, 5, 6):
            raise OSError(errno.ENOSPC, "No space left on device")
        super().save(checkpoint)


class Notices(StopAfter):
    def __init__(self, trainer: Trainer, num_batches: int) -> None:
        super().__init__(trainer, num_batches)
        self.notices: list[str] = []

    def on_notice(self, message: str) -> None:
        self.notices.append(message)


def test_a_full_disk_neither_ends_a_run_nor_loses_what_was_saved(
    dataset: Dataset, tmp_path: Path
) -> None:
    expected = Trainer(dataset, GENNI, SETTINGS).run()
    trainer = Trainer(dataset, GENNI, SETTINGS)
    folder = FailingFolder(tmp_path, trainer.identity)
    trainer.saver = Saver(folder, RunOptions(checkpoint_batches=3), Processes())
    watcher = Notices(trainer, num_batches=10)
    trainer.watcher = watcher
    where = "stopped in epoch 3 of 4, after batch 2; the run could not be saved"
    with pytest.raises(RunStoppedError, match=where):
        trainer.run()
    full = "cannot write a checkpoint ([Errno 28] No space left on device); earlier ones are kept"
    assert watcher.notices == [full, "checkpoints can be written again", full]
    checkpoint = folder.last(pytest.fail)
    assert checkpoint is not None
    assert checkpoint.name == "000002-000000"
    resumed = Trainer(dataset, GENNI, SETTINGS)
    resumed.restore(checkpoint)
    assert untimed(resumed.run().to_json()) == untimed(expected.to_json())


def test_a_run_without_a_folder_stops_and_says_that_it_is_not_saved(dataset: Dataset) -> None:
    trainer = Trainer(dataset, GENNI, SETTINGS)
    trainer.watcher = StopAfter(trainer, 2)
    with pytest.raises(RunStoppedError, match=r"could not be saved") as caught:
        trainer.run()
    assert caught.value.exit_status == 143


class Clock:
    """Stands in for the module time."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


class Noting:
    """Stands in for a folder in which a checkpoint takes two seconds."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.names: list[str] = []

    def save(self, checkpoint: Checkpoint) -> None:
        self.clock.now += 2.0
        self.names.append(checkpoint.name)


@pytest.mark.parametrize(
    ("options", "seconds", "names"),
    [
        (RunOptions(), 1.0, ["1-0"]),  # the others would take two seconds of less than forty
        (RunOptions(), 10.0, ["1-0", "2-0", "3-0"]),
        (RunOptions(checkpoint_seconds=30.0), 10.0, ["0-3", "1-3", "2-3"]),
        (RunOptions(checkpoint_seconds=60.0), 14.0, ["1-0", "2-0", "3-0"]),
        (RunOptions(checkpoint_batches=3), 1.0, ["0-3", "1-0", "1-3", "2-0", "2-3", "3-0"]),
    ],
)
def test_how_often_a_run_is_saved(
    monkeypatch: pytest.MonkeyPatch, options: RunOptions, seconds: float, names: list[str]
) -> None:
    clock = Clock()
    monkeypatch.setattr("negsamp_models.checkpoints.saver.time", clock)
    folder = Noting(clock)
    saver = Saver(folder, options, Processes())  # type: ignore[arg-type]
    for epoch in range(3):
        for batch in range(1, 5):
            clock.now += seconds
            if saver.due_after_batch(batch):
                assert saver.save(Checkpoint(epoch, batch, {}, {}), pytest.fail)
        if saver.due_after_epoch():
            assert saver.save(Checkpoint(epoch + 1, 0, {}, {}), pytest.fail)
    assert [f"{int(name[:6])}-{int(name[7:])}" for name in folder.names] == names


def test_rank_0_alone_writes_and_decides_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("negsamp_models.checkpoints.saver.time", clock)
    folder = Noting(clock)
    options = RunOptions(checkpoint_batches=3, checkpoint_seconds=1.0)
    saver = Saver(folder, options, Processes(rank=1, size=2))  # type: ignore[arg-type]
    clock.now += 5.0
    assert [saver.due_after_batch(batch) for batch in (1, 2, 3)] == [False, False, True]
    assert not saver.due_after_epoch()
    assert saver.save(Checkpoint(1, 0, {}, {}), pytest.fail)
    assert folder.names == []
