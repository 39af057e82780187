"""Checkpoints are whole or do not count, and nothing that was saved is lost."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from negsamp_models.checkpoints import Checkpoint, CheckpointError, CheckpointFolder
from negsamp_models.checkpoints import checkpoint as checkpoint_module
from negsamp_models.files.writing import write_whole
from negsamp_models.wording import differences

IDENTITY = {"dataset": {"name": "tiny", "num_items": 20}, "settings": {"seed": 0}}


def checkpoint(epoch: int, batch: int) -> Checkpoint:
    tensors = {"a": torch.arange(6.0).view(2, 3) + epoch, "b": torch.tensor([batch])}
    return Checkpoint(epoch, batch, tensors, {"losses": [0.1, 1 / 3]})


def filled(path: Path, *positions: tuple[int, int]) -> CheckpointFolder:
    folder = CheckpointFolder(path, IDENTITY)
    for position in positions:
        folder.save(checkpoint(*position))
    return folder


def refused(folder: CheckpointFolder) -> tuple[Checkpoint | None, list[str]]:
    notices: list[str] = []
    return folder.last(notices.append), notices


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    folder = filled(tmp_path / "new" / "folder", (3, 7))
    found, notices = refused(folder)
    assert found is not None
    assert (found.epoch, found.batch, found.state) == (3, 7, {"losses": [0.1, 1 / 3]})
    assert found.tensors["a"].tolist() == [[3.0, 4.0, 5.0], [6.0, 7.0, 8.0]]
    assert found.tensors["b"].dtype == torch.int64
    assert notices == []


def test_the_newest_two_stay(tmp_path: Path) -> None:
    folder = filled(tmp_path, (0, 2), (0, 10), (1, 0), (10, 1))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "000001-000000.json",
        "000001-000000.safetensors",
        "000010-000001.json",
        "000010-000001.safetensors",
    ]
    found, _ = refused(folder)
    assert found is not None
    assert found.name == "000010-000001"


def test_an_empty_folder_has_none(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "missing", IDENTITY)
    assert not folder
    assert refused(folder) == (None, [])
    folder.discard()


def test_discarding_leaves_what_is_not_ours(tmp_path: Path) -> None:
    folder = filled(tmp_path / "own", (0, 1))
    (tmp_path / "own" / "notes.txt").write_text("mine")
    folder.discard()
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["notes.txt"]
    filled(tmp_path / "other", (0, 1)).discard()
    assert not (tmp_path / "other").exists()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def change_loss(path: Path) -> None:
    path.write_text(path.read_text().replace("0.1", "0.2"))


@pytest.mark.parametrize(
    ("suffix", "damage", "reason"),
    [
        (".safetensors", truncate, "is damaged: its SHA-256 is not that in 000002-000000.json"),
        (".safetensors", flip, "is damaged: its SHA-256 is not that in 000002-000000.json"),
        (".safetensors", Path.unlink, "000002-000000 lacks its .safetensors file"),
        (".json", truncate, "is damaged: 000002-000000.json is not the JSON of a checkpoint"),
        (".json", change_loss, "is damaged: its SHA-256 is not that in 000002-000000.json"),
    ],
    ids=["cut", "flipped", "missing", "cut-json", "edited-json"],
)
def test_a_torn_one_is_refused_and_the_one_before_is_used(
    tmp_path: Path, suffix: str, damage: Any, reason: str
) -> None:
    folder = filled(tmp_path, (1, 0), (2, 0))
    damage(tmp_path / f"000002-000000{suffix}")
    found, notices = refused(folder)
    assert found is not None
    assert found.name == "000001-000000"
    assert len(notices) == 1
    assert reason in notices[0]


def test_a_foreign_one_is_refused_and_the_last_own_one_is_used(tmp_path: Path) -> None:
    folder = filled(tmp_path, (1, 0))
    other = IDENTITY | {"dataset": {"name": "tiny", "num_items": 21}}
    CheckpointFolder(tmp_path, other).save(checkpoint(2, 0))
    found, notices = refused(folder)
    assert found is not None
    assert found.name == "000001-000000"
    assert "is of another run: dataset.num_items is 21 there, 20 here" in notices[0]
    folder.save(checkpoint(1, 5))
    assert refused(folder)[0] is not None


def test_none_to_go_on_from_is_an_error_with_every_reason(tmp_path: Path) -> None:
    filled(tmp_path, (1, 0), (2, 0))
    flip(tmp_path / "000002-000000.safetensors")
    foreign = CheckpointFolder(tmp_path, IDENTITY | {"settings": {"seed": 1}})
    with pytest.raises(CheckpointError) as caught:
        refused(foreign)
    assert "settings.seed is 0 there, 1 here" in str(caught.value)
    assert "000002-000000 is damaged" in str(caught.value)
    assert "remove the folder to start over" in str(caught.value)


def test_what_is_wrong_with_all_of_them_is_said_once(tmp_path: Path) -> None:
    filled(tmp_path, (1, 0), (2, 0))
    notices: list[str] = []
    with pytest.raises(CheckpointError) as caught:
        CheckpointFolder(tmp_path, IDENTITY | {"settings": {"seed": 1}}).last(notices.append)
    assert str(caught.value).count("settings.seed is 0 there, 1 here") == 1
    assert notices == []


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = filled(tmp_path, (1, 0))
    monkeypatch.setattr(checkpoint_module, "VERSION", 2)
    with pytest.raises(CheckpointError, match="has version 1; this negsamp reads version 2"):
        refused(folder)


def test_what_a_kill_left_behind_is_no_checkpoint_and_goes(tmp_path: Path) -> None:
    folder = filled(tmp_path, (1, 0), (1, 5))
    (tmp_path / ".000001-000009-x1y2.safetensors").write_bytes(b"half")
    (tmp_path / "000001-000009.safetensors").write_bytes(b"whole, but without its seal")
    found, notices = refused(folder)
    assert found is not None
    assert (found.name, notices) == ("000001-000005", [])
    folder.save(checkpoint(2, 0))
    assert sorted({path.stem for path in tmp_path.iterdir()}) == ["000001-000005", "000002-000000"]


@pytest.mark.parametrize("fails_at", [0, 1], ids=["tensors", "seal"])
def test_a_full_disk_loses_nothing_that_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    folder = filled(tmp_path, (1, 0), (2, 0))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    calls = []

    def full(path: Path, write: Any) -> None:
        calls.append(path)
        if len(calls) > fails_at:

            def half(target: Path) -> None:
                target.write_bytes(b"half")
                raise OSError(errno.ENOSPC, "No space left on device")

            write = half
        write_whole(path, write)

    monkeypatch.setattr("negsamp_models.files.writing.write_whole", full)
    with pytest.raises(OSError, match="No space left"):
        folder.save(checkpoint(3, 0))
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {name: after[name] for name in before} == before
    assert all("-" in name and not name.startswith(".") for name in after)
    found, notices = refused(folder)
    assert found is not None
    assert (found.name, notices) == ("000002-000000", [])


def test_differences_name_the_place() -> None:
    there = {"a": 1, "b": {"c": [1, 2], "d": None}, "old": 3}
    here = {"a": 1, "b": {"c": [1, 3], "d": None}, "new": 4}
    assert differences(there, here) == [
        "b.c is [1, 2] there, [1, 3] here",
        "new is 'missing' there, 4 here",
        "old is 3 there, 'missing' here",
    ]
    assert differences(there, json.loads(json.dumps(there))) == []
