"""The folder of a run: one command at a time, nothing overwritten unasked, nothing mixed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from negsamp_models.commands.session import errors_reported
from negsamp_models.datasets.packing import pack
from negsamp_models.files.claimed import claimed
from tests.models.children import finish, start
from tests.models.command import plain, run
from tests.models.made_up import users_of, write_data

FEW = ["--max-epochs", "2", "--hidden-size", "8", "--num-layers", "1"]


def write_sequences(folder: Path, seed: int) -> None:
    lists = users_of(seed, num_users=29, num_items=15, lengths=(5, 9))
    write_data(folder / "Tiny.txt", [range(1, 16), *lists])


def write_attributes(folder: Path, shift: int) -> None:
    attributes = {str(item): [(item + shift) % 4 + 1, 5] for item in range(1, 16)}
    (folder / "Tiny_item2attributes.json").write_text(json.dumps(attributes))


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_sequences(tmp_path, seed=5)
    write_attributes(tmp_path, shift=0)
    monkeypatch.setenv("NEGSAMP_DATA", str(tmp_path))
    return tmp_path


def train(output: Path, *more: str) -> Result:
    return run("train", "--dataset", "Tiny", "-o", str(output), *FEW, *more)


def pretrain(output: Path, *more: str) -> Result:
    sizes = ["--epochs", "1", "--hidden-size", "8", "--num-layers", "1"]
    return run("pretrain", "--dataset", "Tiny", "-o", str(output), *sizes, *more)


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    return plain(result.stderr)


def test_a_finished_run_is_overwritten_only_if_asked(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert train(folder, "--keep-weights", "0,1").exit_code == 0
    assert run("law", str(folder), "--length", "3").exit_code == 0
    before = (folder / "result.json").read_bytes()
    assert "holds a finished run: show it with --resume" in refused(train(folder, "--seed", "1"))
    assert "finished before; nothing is trained" in train(folder, "--resume").stdout
    assert (folder / "result.json").read_bytes() == before
    assert train(folder, "--seed", "1", "--overwrite").exit_code == 0
    assert json.loads((folder / "result.json").read_text())["settings"]["seed"] == 1
    left = ["curves.png", "log.jsonl", "model.safetensors", "result.json"]
    assert sorted(path.name for path in folder.iterdir()) == left  # no weights, no law of the old


def test_a_damaged_result_says_what_to_do_with_it(tmp_path: Path) -> None:
    assert train(tmp_path / "run").exit_code == 0
    (tmp_path / "run" / "result.json").write_text("{}")
    message = refused(train(tmp_path / "run", "--resume"))
    assert "run/result.json is not the result of a run: the result of a run must have" in message
    assert message.endswith("or replace it with --overwrite instead of --resume")
    message = refused(run("law", str(tmp_path / "run")))
    assert message.endswith("; name the folder that a run of negsamp train was written to")
    assert pretrain(tmp_path / "pre").exit_code == 0
    (tmp_path / "pre" / "pretraining.json").write_text("{}")
    message = refused(pretrain(tmp_path / "pre", "--resume"))
    assert "pre/pretraining.json is not the result of a pre-training: " in message
    assert message.endswith("; move its folder away and pre-train again")


def test_finished_pretrainings_are_overwritten_only_if_asked(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert pretrain(folder).exit_code == 0
    assert "holds a finished run" in refused(pretrain(folder, "--seed", "1"))
    assert "finished before; nothing is trained" in pretrain(folder, "--resume").stdout
    assert pretrain(folder, "--seed", "1", "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("begin", "name"), [(train, "model.safetensors"), (pretrain, "pretrained.safetensors")]
)
def test_a_file_of_someone_else_is_lost_only_if_asked(
    tmp_path: Path, begin: Callable[..., Result], name: str
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / name).write_text("hours of work")
    assert f"holds {name}, which would be overwritten: name another" in refused(begin(folder))
    assert [(each.name, each.read_text()) for each in folder.iterdir()] == [(name, "hours of work")]
    assert begin(folder, "--overwrite").exit_code == 0


def test_one_command_at_a_time_has_a_folder(tmp_path: Path) -> None:
    with claimed(tmp_path / "run" / "result.json"):
        assert f"process {os.getpid()} is making this run" in refused(train(tmp_path / "run"))
    with claimed(tmp_path / "pre" / "pretraining.json"):
        assert f"process {os.getpid()} is making this run" in refused(pretrain(tmp_path / "pre"))
    assert train(tmp_path / "run").exit_code == 0


def test_other_data_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    assert train(tmp_path / "a").exit_code == 0
    write_sequences(tmp_path, seed=6)
    assert "data_sha256 is" in refused(train(tmp_path / "a", "--resume"))
    assert "on other data of the same name, Tiny: name" in refused(run("law", str(tmp_path / "a")))
    assert train(tmp_path / "b", "--seed", "1").exit_code == 0
    rows = [line for line in run("table", str(tmp_path)).stdout.splitlines() if "Tiny" in line]
    assert [row.split("|")[-3].strip() for row in rows] == ["1", "1"]
    result = json.loads((tmp_path / "a" / "result.json").read_text())
    del result["data_sha256"]  # of before it was noted: of the only data that are known
    (tmp_path / "a" / "result.json").write_text(json.dumps(result))
    (row,) = [line for line in run("table", str(tmp_path)).stdout.splitlines() if "Tiny" in line]
    assert row.split("|")[-3].strip() == "2"


def test_other_attributes_are_told_apart(tmp_path: Path) -> None:
    assert pretrain(tmp_path / "run").exit_code == 0
    assert pretrain(tmp_path / "run", "--resume").exit_code == 0
    write_attributes(tmp_path, shift=1)
    assert "attributes is" in refused(pretrain(tmp_path / "run", "--resume"))


def test_what_ends_a_run_or_where_it_runs_is_no_other_run(tmp_path: Path) -> None:
    assert train(tmp_path / "run", "--device", "auto").exit_code == 0
    assert train(tmp_path / "run", "--resume", "--device", "cpu").exit_code == 0
    message = refused(train(tmp_path / "run", "--resume", "--max-epochs", "3"))
    assert "max_epochs is 2 there, 3 here. A finished run cannot be resumed: name" in message
    assert "replace it with --overwrite instead of --resume" in message


def test_the_numbers_of_a_picture_overwrite_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert train(folder).exit_code == 0
    before = (folder / "result.json").read_bytes()
    law = ["law", str(folder), "--length", "3", "-o"]
    assert "holds something else" in refused(run(*law, str(folder / "result.png")))
    assert (folder / "result.json").read_bytes() == before
    for _ in range(2):
        assert run(*law, str(folder / "law.svg")).exit_code == 0


@pytest.mark.parametrize(
    "command",
    [
        ["train", "--dataset", "Tiny"],
        ["compare", "--dataset", "Tiny"],
        ["pretrain", "--dataset", "Tiny"],
        ["report", "--results", str(Path(__file__).parents[3] / "results")],
    ],
    ids=lambda command: command[0],
)
def test_a_folder_that_cannot_be_written_to_is_named(command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    if command[0] in ("train", "report"):
        message = f"results cannot be written to {file}: it is a file; name another folder"
        assert message in refused(run(*command, "-o", str(file)))
    message = refused(run(*command, "-o", str(file / "below")))
    assert f"results cannot be written to {file / 'below'}" in message
    assert file.read_text() == "no folder"


@pytest.mark.parametrize("command", ["train", "pretrain"])
def test_options_of_another_sampler_are_refused(command: str) -> None:
    for sampler, option in (("uniform", "alpha"), ("popularity", "beta"), ("genni", "gamma")):
        result = run(command, "--dataset", "Tiny", "--sampler", sampler, f"--{option}", "1")
        assert f"--{option} is for " in refused(result)
        assert f"the sampler is {sampler}" in refused(result)


def test_a_missing_package_costs_no_earlier_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    assert train(folder).exit_code == 0
    before = sorted(folder.iterdir())
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    message = refused(train(folder, "--overwrite", "--tensorboard"))
    assert "logs for TensorBoard need the package tensorboard: pip install" in message
    assert sorted(folder.iterdir()) == before


def test_names_of_data_are_no_markup(tmp_path: Path) -> None:
    (tmp_path / "Tiny.txt").rename(tmp_path / "x[b]y.txt")
    for command in ("train", "compare"):
        shown = run(command, "--dataset", "x[b]y", "-o", str(tmp_path / command), *FEW[:2])
        assert shown.exit_code == 0, shown.output
        assert "SASRec on x[b]y" in shown.output
    assert "x[b]y: 30 users" in shown.output


def test_names_of_folders_are_no_markup(tmp_path: Path) -> None:
    result = train(tmp_path / "x[" / "]7")
    assert result.exit_code == 0
    assert "x[/]7" in result.output


def test_training_goes_on_when_nobody_reads(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "negsamp_models", "train", "--dataset", "Tiny", *FEW]
    done = subprocess.run(
        [*command, "-o", str(tmp_path / "run")],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "run" / "result.json").exists()
    table = [sys.executable, "-m", "negsamp_models", "table", str(tmp_path)]
    done = subprocess.run(table, stdout=writer, stderr=subprocess.PIPE, check=False, text=True)
    assert (done.returncode, done.stderr) == (1, "")
    os.close(writer)


def test_a_signal_at_the_very_end_does_not_undo_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(["train", "--dataset", "Tiny", *FEW, "-o", str(folder)], tmp_path / "said")
    while not (folder / "model.safetensors").exists():
        assert process.is_alive()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGINT)
    assert finish(process) == [0]
    assert (folder / "result.json").exists()


def test_weights_that_are_not_kept_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    short = ["--max-epochs", "99", "--patience", "1", "--keep-weights", "1,99"]
    assert "Not kept: the weights after 99 epochs." in train(tmp_path / "short", *short).output
    assert "Not kept" not in train(folder, "--keep-weights", "1").output
    again = train(folder, "--resume", "--keep-weights", "0,1")
    assert "Not kept: the weights after 0 epochs." in again.output
    assert "Not kept" not in train(folder, "--resume", "--keep-weights", "1").output


def test_weights_of_a_run_that_came_to_no_checkpoint_are_not_kept(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "weights").mkdir(parents=True)
    for epochs in (0, 7):
        (folder / "weights" / f"{epochs:06d}.safetensors").write_text("of another run")
    assert train(folder, "--resume", "--keep-weights", "1").exit_code == 0
    assert [each.name for each in (folder / "weights").iterdir()] == ["000001.safetensors"]


def test_want_of_memory_is_told_without_a_traceback(tmp_path: Path) -> None:
    result = train(tmp_path / "run", "--hidden-size", str(10**14))  # more than can be addressed
    assert "out of memory (" in refused(result)
    assert "smaller --hidden-size" in refused(result)
    assert not (tmp_path / "run").exists()


def test_other_failures_are_not_taken_for_want_of_memory() -> None:
    with pytest.raises(RuntimeError, match="sizes do not match"), errors_reported():
        raise RuntimeError("sizes do not match")


def test_rows_are_no_longer_than_the_data_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capacities = []

    def watched(*arguments: object) -> object:
        capacities.append(arguments[3])
        return pack(*arguments)  # type: ignore[arg-type]

    for module in ("training.steps", "evaluation"):
        monkeypatch.setattr(f"negsamp_models.{module}.pack", watched)
    assert train(tmp_path / "run", "--max-length", "10000").exit_code == 0
    assert set(capacities) == {12, 13, 14}  # of fifteen items, before each part's answer


def test_a_byte_order_mark_is_no_id(tmp_path: Path) -> None:
    file = tmp_path / "Tiny.txt"
    file.write_text(file.read_text(), encoding="utf-8-sig")
    assert train(tmp_path / "run").exit_code == 0
