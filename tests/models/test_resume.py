"""A run that was cut off goes on bit for bit."""

from __future__ import annotations

import json
import multiprocessing
import random
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from negsamp_models.checkpoint import CheckpointError, CheckpointFolder
from negsamp_models.commands import train_command
from negsamp_models.datasets import Dataset, Sequences
from negsamp_models.distributed import Processes
from negsamp_models.interruption import RunStoppedError
from negsamp_models.saving import Saver
from negsamp_models.settings import RunOptions, TrainingSettings
from negsamp_models.training import Trainer
from negsamp_models.watching import Silent

SETTINGS = TrainingSettings(
    max_epochs=4, batch_size=16, hidden_size=8, num_layers=1, num_heads=1, max_length=6, dropout=0.2
)
GENNI: dict[str, Any] = {
    "sampler": "genni",
    "alpha": {"schedule": "loss_driven", "initial": 1.0, "step": 0.125},
    "beta": {"schedule": "exponential", "m": 2, "initial": 0.2},
    "num_negatives": 2,
}
TIMES = ("training_seconds", "sampling_seconds", "evaluation_seconds")


@pytest.fixture(scope="module")
def lists() -> list[list[int]]:
    generator = np.random.default_rng(11)
    each = [generator.permutation(20)[: generator.integers(5, 12)] + 1 for _ in range(60)]
    return [items.tolist() for items in each]


@pytest.fixture(scope="module")
def dataset(lists: list[list[int]]) -> Dataset:
    return Dataset("tiny", Sequences.from_lists(lists), num_items=20)


def untimed(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result without what a clock measured."""
    epochs = [{k: v for k, v in each.items() if k not in TIMES} for each in result["epochs"]]
    kept = {k: v for k, v in result.items() if k not in ("seconds_per_epoch", "sampling_share")}
    return kept | {"epochs": epochs}


class StopAfter(Silent):
    """Asks its trainer to stop when so many batches are done, of this process."""

    def __init__(self, trainer: Trainer, num_batches: int) -> None:
        self.trainer, self.left = trainer, num_batches

    def on_batch(self, epoch: int, batch: int, num_batches: int, loss: float) -> None:
        self.left -= 1
        if self.left == 0:
            self.trainer.stop.received = signal.SIGTERM


def saved_trainer(dataset: Dataset, path: Path, config: dict[str, Any]) -> Trainer:
    trainer = Trainer(dataset, config, SETTINGS)
    folder = CheckpointFolder(path, trainer.identity)
    trainer.saver = Saver(folder, RunOptions(), Processes())
    return trainer


@pytest.mark.parametrize(
    ("num_batches", "position"), [(1, (0, 1)), (4, (0, 4)), (5, (1, 1)), (11, (2, 3))]
)
def test_a_stopped_run_goes_on_bit_for_bit(
    dataset: Dataset, tmp_path: Path, num_batches: int, position: tuple[int, int]
) -> None:
    straight = Trainer(dataset, GENNI, SETTINGS)
    expected = straight.run()
    stopped = saved_trainer(dataset, tmp_path, GENNI)
    stopped.watcher = StopAfter(stopped, num_batches)
    with pytest.raises(RunStoppedError, match="this is saved"):
        stopped.run()
    torch.manual_seed(99)
    resumed = saved_trainer(dataset, tmp_path, GENNI)
    assert resumed.saver is not None
    checkpoint = resumed.saver.folder.last(pytest.fail)
    assert checkpoint is not None
    assert (checkpoint.epoch, checkpoint.batch) == position
    resumed.restore(checkpoint)
    result = resumed.run()
    assert untimed(result.to_json()) == untimed(expected.to_json())
    assert resumed.sampler.state_dict() == straight.sampler.state_dict()
    for name, value in straight.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    steps = straight.optimizer.state_dict()["state"], resumed.optimizer.state_dict()["state"]
    for number, values in steps[0].items():
        for key, value in values.items():
            assert torch.equal(value, steps[1][number][key]), (number, key)


@pytest.mark.parametrize("part", ["random.cpu", "optimizer.norm.bias.exp_avg", "model.norm.bias"])
def test_each_part_of_a_checkpoint_matters(dataset: Dataset, tmp_path: Path, part: str) -> None:
    expected = Trainer(dataset, GENNI, SETTINGS).run()
    stopped = saved_trainer(dataset, tmp_path, GENNI)
    stopped.watcher = StopAfter(stopped, 5)
    with pytest.raises(RunStoppedError):
        stopped.run()
    resumed = saved_trainer(dataset, tmp_path, GENNI)
    assert resumed.saver is not None
    checkpoint = resumed.saver.folder.last(pytest.fail)
    assert checkpoint is not None
    other = torch.Generator().manual_seed(5).get_state()[None] if part == "random.cpu" else None
    checkpoint.tensors[part] = checkpoint.tensors[part] + 0.5 if other is None else other
    resumed.restore(checkpoint)
    result = resumed.run()
    assert [each.loss for each in result.epochs] != [each.loss for each in expected.epochs]


@pytest.mark.parametrize("name", ["sampler", "records", "losses"])
def test_a_checkpoint_that_lacks_a_part_is_refused(
    dataset: Dataset, tmp_path: Path, name: str
) -> None:
    stopped = saved_trainer(dataset, tmp_path, GENNI)
    stopped.watcher = StopAfter(stopped, 2)
    with pytest.raises(RunStoppedError):
        stopped.run()
    assert stopped.saver is not None
    checkpoint = stopped.saver.folder.last(pytest.fail)
    assert checkpoint is not None
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
    trainer = saved_trainer(dataset, tmp_path, GENNI)
    trainer.watcher = StopAfter(trainer, 1)
    with pytest.raises(RunStoppedError):
        trainer.run()
    other = Trainer(dataset, GENNI, replace(SETTINGS, **changes))
    with pytest.raises(CheckpointError, match=reason):
        CheckpointFolder(tmp_path, other.identity).last(lambda _: None)
    longer = Trainer(dataset, GENNI, replace(SETTINGS, max_epochs=9, patience=1))
    assert CheckpointFolder(tmp_path, longer.identity).last(pytest.fail) is not None


def test_another_catalogue_is_refused(
    dataset: Dataset, lists: list[list[int]], tmp_path: Path
) -> None:
    trainer = saved_trainer(dataset, tmp_path, GENNI)
    trainer.watcher = StopAfter(trainer, 1)
    with pytest.raises(RunStoppedError):
        trainer.run()
    larger = Dataset("tiny", dataset.sequences, num_items=21)
    swapped = Dataset("tiny", Sequences.from_lists([lists[0][::-1], *lists[1:]]), num_items=20)
    for other, reason in ((larger, "num_items is 20 there, 21 here"), (swapped, "sha256 is")):
        identity = Trainer(other, GENNI, SETTINGS).identity
        with pytest.raises(CheckpointError, match=f"dataset.{reason}"):
            CheckpointFolder(tmp_path, identity).last(lambda _: None)


def arguments(folder: Path, name: str) -> dict[str, Any]:
    return {
        "dataset": "Tiny",
        "data_dir": folder,
        "output": folder / name,
        "alpha": "loss_driven:initial=1",
        "beta": "exponential:m=20,initial=0.2",
        "max_epochs": 60,
        "patience": 60,
        "batch_size": 16,
        "hidden_size": 8,
        "device": "cpu",
        "resume": True,
        "checkpoint_batches": 3,
    }


def newest(folder: Path) -> str:
    """Return the position of the newest checkpoint, "" if there is none."""
    return max((path.stem for path in folder.glob("checkpoints/[0-9]*.json")), default="")


def test_ten_kills_change_nothing(lists: list[list[int]], tmp_path: Path) -> None:
    """Kill a run ten times at random, in training, evaluation or while it is being saved."""
    lines = [" ".join(map(str, [user, *items])) for user, items in enumerate(lists, 1)]
    (tmp_path / "Tiny.txt").write_text("\n".join(lines) + "\n")
    killed, untouched = tmp_path / "killed", tmp_path / "untouched"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["negsamp_models.commands", "torch._dynamo"])  # slow imports
    delays, positions = random.Random(7), [""]  # noqa: S311
    while len(positions) <= 10:
        process = context.Process(target=train_command, kwargs=arguments(tmp_path, "killed"))
        process.start()
        while process.is_alive() and newest(killed) <= positions[-1]:
            process.join(0.001)
        process.join(delays.uniform(0.0, 0.1))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        positions.append(newest(killed))
    assert sorted(set(positions)) == positions
    for name in ("killed", "untouched"):
        process = context.Process(target=train_command, kwargs=arguments(tmp_path, name))
        process.start()
        process.join()
        assert process.exitcode == 0

    names = ["curves.png", "model.safetensors", "result.json"]
    assert sorted(path.name for path in killed.iterdir()) == names
    weights = (killed / "model.safetensors").read_bytes()
    assert weights == (untouched / "model.safetensors").read_bytes()
    results = [json.loads((each / "result.json").read_text()) for each in (killed, untouched)]
    assert untimed(results[0]) == untimed(results[1])
