"""One run over several processes: the same gradients, the same figures, the same resumption."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from negsamp import Uniform
from negsamp_models.checkpoints import CheckpointFolder
from negsamp_models.datasets import SyntheticParameters, generate_synthetic
from negsamp_models.processes import Processes, joined_processes
from negsamp_models.settings import TrainingSettings, TrainingSettingsError
from tests.models.children import (
    finish,
    newest,
    start,
    start_each,
    start_ranks,
    wait_for_checkpoint,
)
from tests.models.made_up import users_of, write_data
from tests.models.outcomes import assert_same_outcome

TINY = ["--device", "cpu", "--hidden-size", "8", "--max-epochs", "3", "--batch-size", "19"]


@pytest.fixture
def two_items(tmp_path: Path) -> list[str]:
    """Return the arguments for data in which each target has one possible negative."""
    generator = np.random.default_rng(2)
    lists = [generator.integers(1, 3, generator.integers(4, 12)) for _ in range(39)]
    write_data(tmp_path / "Two.txt", lists)
    return ["train", *TINY, "--dataset", "Two", "--data-dir", str(tmp_path), "--dropout", "0"]


@pytest.fixture
def tiny(tmp_path: Path) -> list[str]:
    write_data(tmp_path / "Tiny.txt", users_of(seed=11))
    alpha = ["--alpha", "loss_driven:initial=1", "--checkpoint-batches", "2"]
    return ["train", *TINY, "--dataset", "Tiny", "--data-dir", str(tmp_path), *alpha]


def result_of(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result


def test_two_processes_take_the_steps_of_one(two_items: list[str], tmp_path: Path) -> None:
    """Without chance in dropout or negatives, two are one up to rounding.

    Batches are of 19, 19 and 1 sequences: shares differ in length, and one is empty.
    """
    one, two = tmp_path / "one", tmp_path / "two"
    assert finish(start([*two_items, "-o", str(one)], tmp_path / "one.txt")) == [0]
    assert finish(*start_ranks([*two_items, "-o", str(two)], tmp_path / "two.txt")) == [0, 0]
    results = result_of(one), result_of(two)
    losses = [[each["loss"] for each in result["epochs"]] for result in results]
    assert losses[0] != [losses[0][0]] * 3
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-6)
    assert results[1]["test"] == results[0]["test"]
    draws = [[each["num_draws"] for each in result["epochs"]] for result in results]
    assert draws[0] == draws[1]
    weights = load_file(one / "model.safetensors"), load_file(two / "model.safetensors")
    for name, value in weights[0].items():
        np.testing.assert_allclose(weights[1][name], value, atol=2e-6, err_msg=name)
    told = (tmp_path / "two.txt").read_text()
    assert told.count("SASRec on Two") - told.count("SASRec on Two, all items ranked") == 1


def test_two_processes_reach_the_figures_of_one(tmp_path: Path) -> None:
    """Validation over seeds, with one and with two processes: no farther apart than seeds are."""
    parameters = SyntheticParameters(num_users=400, num_items=60, num_clusters=6)
    write_data(tmp_path / "Small.txt", list(generate_synthetic(parameters).sequences))
    figures: dict[int, list[float]] = {1: [], 2: []}
    for seed in range(3):
        for size, scores in figures.items():
            output = tmp_path / f"{size}-{seed}"
            arguments = ["train", "--dataset", "Small", "--data-dir", str(tmp_path), "--device"]
            arguments += ["cpu", "--hidden-size", "16", "--batch-size", "32", "--max-epochs", "8"]
            arguments += ["--dropout", "0.2", "--learning-rate", "0.005", "--seed", str(seed)]
            arguments += ["-o", str(output)]
            assert set(finish(*start_ranks(arguments, tmp_path / "printed.txt", size))) == {0}
            epochs = result_of(output)["epochs"]
            assert [each["validation"]["HR@10"] > 25 for each in epochs[-3:]] == [True] * 3
            scores.append(float(np.mean([each["validation"]["NDCG@10"] for each in epochs[-4:]])))
    one, two = np.array(figures[1]), np.array(figures[2])
    error = np.sqrt((one.var(ddof=1) + two.var(ddof=1)) / len(one))
    assert abs(one.mean() - two.mean()) < 4 * error


def test_killed_ranks_go_on_bit_for_bit(tiny: list[str], tmp_path: Path) -> None:
    folder, printed = tmp_path / "killed", tmp_path / "killed.txt"
    arguments = [*tiny, "-o", str(folder), "--resume"]
    for _ in range(2):
        ranks = start_ranks(arguments, printed)
        wait_for_checkpoint(ranks[0], folder, after=newest(folder))
        for rank in ranks:
            rank.kill()
        assert finish(*ranks) == [-signal.SIGKILL] * 2
    assert finish(start(arguments, printed)) == [2]
    assert "num_processes is 2 there, 1 here" in printed.read_text()
    assert finish(*start_ranks(arguments, printed)) == [0, 0]
    straight = start_ranks([*tiny, "-o", str(tmp_path / "straight")], tmp_path / "straight.txt")
    assert finish(*straight) == [0, 0]
    assert_same_outcome(folder, tmp_path / "straight")


def test_a_signal_to_one_rank_stops_all(tiny: list[str], tmp_path: Path) -> None:
    folder, printed = tmp_path / "run", tmp_path / "run.txt"
    ranks = start_ranks(
        [*tiny, "-o", str(folder), "--max-epochs", "1000", "--patience", "1000"], printed
    )
    wait_for_checkpoint(ranks[0], folder)
    assert ranks[1].pid is not None
    os.kill(ranks[1].pid, signal.SIGTERM)
    assert finish(*ranks) == [143, 143]
    assert printed.read_text().count("the run is saved. Continue with:") == 1
    assert "torchrun --nproc-per-node 2 -m negsamp_models train" in printed.read_text()


@pytest.mark.parametrize(
    ("option", "own", "other", "difference"),
    [
        ("--seed", "0", "1", "settings.seed is {} there, {} here"),
        ("--hidden-size", "8", "4", "settings.hidden_size is {} there, {} here"),
        ("--max-epochs", "3", "2", "settings.max_epochs is {} there, {} here"),
        ("--num-negatives", "1", "2", "sampler.num_negatives is {} there, {} here"),
    ],
)
def test_ranks_with_different_arguments_are_refused(
    tiny: list[str], tmp_path: Path, option: str, own: str, other: str, difference: str
) -> None:
    arguments = [*tiny, "-o", str(tmp_path / "run"), option]
    ranks = start_each([[*arguments, own], [*arguments, other]], tmp_path / "run.txt")
    assert finish(*ranks) == [2, 2]
    printed = (tmp_path / "run.txt").read_text()
    assert f"error: process 1 has another run: {difference.format(other, own)}. Start" in printed
    assert f"process 1: process 0 has another run: {difference.format(own, other)}." in printed
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("lost", [0, 1])
def test_a_rank_that_is_left_alone_says_where_to_look(
    tiny: list[str], tmp_path: Path, lost: int
) -> None:
    """One rank fails before the others know of it, then one is killed in the middle of training."""
    output, printed = tmp_path / "run", tmp_path / "run.txt"
    arguments = [*tiny, "-o", str(output), "--max-epochs", "1000", "--patience", "1000"]
    each = [[*arguments, *(["--dataset", "Nope"] if rank == lost else [])] for rank in range(2)]
    other = "error: process 1: " if lost == 0 else "error: "
    words = f"{other}another process of the run no longer answers: it failed, was killed or hangs"
    assert finish(*start_each(each, printed)) == [2, 2]
    assert "unknown data set 'Nope'" in printed.read_text()
    assert words in printed.read_text()
    assert "gloo" not in printed.read_text()
    ranks = start_ranks(arguments, printed)
    wait_for_checkpoint(ranks[0], output)
    ranks[lost].kill()
    assert finish(ranks[1 - lost]) == [2]
    assert printed.read_text().startswith(words) or f"\n{words}" in printed.read_text()


@pytest.mark.parametrize("sharded", [[], ["--sharded-items"]])
def test_ranks_go_on_from_one_checkpoint_or_not_at_all(
    tiny: list[str], tmp_path: Path, sharded: list[str]
) -> None:
    run, other, printed = tmp_path / "run", tmp_path / "other", tmp_path / "run.txt"
    ranks = start_ranks([*tiny, *sharded, "-o", str(run)], printed)
    wait_for_checkpoint(ranks[0], run, after="000001-000001")
    for rank in ranks:
        rank.kill()
    finish(*ranks)
    last = newest(run)

    def refused() -> str:
        each = [[*tiny, *sharded, "--resume", "-o", str(folder)] for folder in (run, other)]
        assert finish(*start_each(each, printed)) == [2, 2]
        assert newest(run) == last
        assert not (run / "result.json").exists()
        text = printed.read_text()
        assert f"process 1: process 0 has another run: checkpoint is '{last}, " in text
        return text

    assert "error: process 1 has another run: checkpoint is 'none' there, " in refused()
    shutil.copytree(run, other, dirs_exist_ok=True)
    identity = json.loads((other / "checkpoints" / f"{last}.json").read_text())["identity"]
    copies = CheckpointFolder(other / "checkpoints", identity)
    found = copies.last(print)
    assert found is not None
    copies.save(replace(found, state=found.state | {"num_draws": 0}))
    assert f"error: process 1 has another run: checkpoint is '{last}, SHA-256 " in refused()
    before, _ = sorted(path.stem for path in (other / "checkpoints").glob("*.json"))
    (other / "checkpoints" / f"{last}.safetensors").write_bytes(b"torn")
    assert f"error: process 1 has another run: checkpoint is '{before}, SHA-256 " in refused()
    (other / "checkpoints" / f"{before}.safetensors").write_bytes(b"torn")
    assert "error: process 1 has another run: checkpoint is 'no checkpoint in" in refused()
    shutil.rmtree(other / "checkpoints")
    (other / "result.json").write_text("{}")
    assert "checkpoint is 'none, the run is finished' there, " in refused()


def test_ranks_draw_and_drop_out_differently(tiny: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    ranks = start_ranks(
        [*tiny, "-o", str(folder), "--max-epochs", "1000", "--patience", "1000"],
        tmp_path / "run.txt",
    )
    wait_for_checkpoint(ranks[0], folder)
    for rank in ranks:
        rank.kill()
    finish(*ranks)
    states = load_file(folder / "checkpoints" / f"{newest(folder)}.safetensors")["random.cpu"]
    assert states.shape[0] == 2
    assert not np.array_equal(states[0], states[1])
    samplers = [Processes(rank, 2).sampler(Uniform(1000, seed=3)) for rank in range(2)]
    draws = [sampler.sample(np.zeros(200, np.int64)).item_ids for sampler in samplers]
    assert (draws[0] == draws[1]).mean() < 0.05


def test_torchrun_starts_the_same_command(tiny: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    arguments = ["-m", "negsamp_models", *tiny, "-o", str(tmp_path / "run")]
    done = subprocess.run([*command, *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("result.json, curves.png") == 1
    ranks = start_ranks([*tiny, "-o", str(tmp_path / "other")], tmp_path / "other.txt")
    assert finish(*ranks) == [0, 0]
    assert_same_outcome(tmp_path / "run", tmp_path / "other")


def test_shares_are_a_partition() -> None:
    rows = np.arange(10, 21)
    shares = [Processes(rank, 4).share(rows) for rank in range(4)]
    assert sorted(np.concatenate(shares)) == rows.tolist()
    assert [len(share) for share in shares] == [3, 3, 3, 2]


def test_one_process_needs_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_processes() as processes:
        assert processes == Processes(rank=0, size=1, local_rank=0, local_size=1)
    sampler, model = Uniform(10), torch.nn.Linear(2, 2)
    assert processes.sampler(sampler) is sampler
    assert processes.parallel(model, torch.device("cpu")) is model
    assert processes.gather(torch.tensor([1, 2])).tolist() == [[1, 2]]
    assert processes.largest(3, True) == [3, 1]
    before = torch.get_rng_state()
    processes.seed(5)
    assert torch.equal(torch.get_rng_state(), before)


def test_fewer_cuda_devices_than_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    chosen: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    settings = TrainingSettings(device="cuda")
    assert Processes(1, 2, local_rank=1, local_size=2).device(settings) == torch.device("cuda:1")
    assert chosen == [torch.device("cuda:1")]
    assert Processes(1, 2, 1, 2).device(TrainingSettings(device="cpu")) == torch.device("cpu")
    with pytest.raises(TrainingSettingsError, match=r"each of the 3 processes .* which has 2"):
        Processes(1, 3, 1, 3).device(settings)
    with pytest.raises(TrainingSettingsError, match="'cuda:1'"):
        Processes(1, 2, 1, 2).device(TrainingSettings(device="cuda:1"))
