"""The command, cut off by kills, signals and a full disk, goes on as if nothing had happened."""

from __future__ import annotations

import os
import random
import re
import resource
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from tests.models import children
from tests.models.children import finish, newest, wait_for_checkpoint
from tests.models.made_up import users_of, write_data
from tests.models.outcomes import assert_same_outcome

ARGUMENTS = [
    *("train", "--dataset", "Tiny", "--device", "cpu", "--batch-size", "16", "--hidden-size", "8"),
    *("--alpha", "loss_driven:initial=1", "--beta", "exponential:m=20,initial=0.2"),
    *("--max-epochs", "40", "--patience", "40", "--checkpoint-batches", "3"),
]

Start = Callable[..., BaseProcess]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Return what starts the command in a process of its own, with an output folder by name."""
    write_data(tmp_path / "Tiny.txt", users_of(seed=11))

    def begin(name: str, *more: str) -> BaseProcess:
        paths = ["--data-dir", str(tmp_path), "--output", str(tmp_path / name)]
        return children.start([*ARGUMENTS, *paths, *more], tmp_path / f"{name}.txt")

    return begin


def test_ten_kills_change_nothing(start: Start, tmp_path: Path) -> None:
    """Kill a run ten times at random, in training, evaluation or while it is being saved."""
    folder = tmp_path / "killed"
    delays, positions = random.Random(7), [""]  # noqa: S311
    while len(positions) <= 10:
        process = start("killed", "--resume")
        wait_for_checkpoint(process, folder, after=positions[-1])
        process.join(delays.uniform(0.0, 0.06))
        process.kill()
        assert finish(process) == [-signal.SIGKILL]
        positions.append(newest(folder))
    assert sorted(set(positions)) == positions
    assert finish(start("killed", "--resume")) == [0]
    assert finish(start("untouched")) == [0]
    assert_same_outcome(folder, tmp_path / "untouched")


def test_signals_save_and_say_how_to_go_on(start: Start, tmp_path: Path) -> None:
    folder, printed = tmp_path / "with space", tmp_path / "with space.txt"
    for more, number in ((["--overwrite"], signal.SIGINT), (["--resume"], signal.SIGTERM)):
        before = newest(folder)
        process = start("with space", *more)
        wait_for_checkpoint(process, folder, after=before)
        assert process.pid is not None
        os.kill(process.pid, number)
        assert finish(process) == [128 + number]
        message = printed.read_text()
        where = r"(in epoch \d+ of 40, after batch [1-4]|after epoch \d+ of 40)"
        assert re.search(
            rf"^stopped {where}; the run is saved. Continue with:\n\n    negsamp train",
            message,
            re.M,
        )
        assert f"--output '{folder}' --resume\n" in message
        assert message.count("--resume") == 1
        assert "--overwrite" not in message  # what was just made
    assert finish(start("with space")) == [2]
    assert "holds an unfinished run: continue it with --resume" in printed.read_text()
    assert finish(start("with space", "--resume")) == [0]
    assert finish(start("untouched")) == [0]
    assert_same_outcome(folder, tmp_path / "untouched")
    assert finish(start("with space", "--resume")) == [0]
    assert "NDCG@10" in printed.read_text()
    assert "  loss " not in printed.read_text()  # no epoch is trained again
    assert finish(start("with space", "--resume", "--seed", "3")) == [2]
    assert "result.json is of another run: settings.seed is 0 there, 3" in printed.read_text()


def test_a_full_disk_loses_nothing_that_was_saved(start: Start, tmp_path: Path) -> None:
    folder, printed = tmp_path / "full", tmp_path / "full.txt"
    process = start("full")
    wait_for_checkpoint(process, folder)
    assert process.pid is not None
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
    assert finish(process) == [2]
    assert "cannot write a checkpoint ([Errno 27] File too large)" in printed.read_text()
    assert ": [Errno 27] File too large. Test metrics" in printed.read_text()
    assert newest(folder) >= "000000-000003"
    assert not (folder / "result.json").exists()
    assert finish(start("full", "--resume")) == [0]
    assert finish(start("untouched")) == [0]
    assert_same_outcome(folder, tmp_path / "untouched")
