"""negsamp pretrain, and negsamp train from what it leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import Result

from negsamp_models.pretrained import read_pretrained
from negsamp_models.processes import Processes
from negsamp_models.settings import OBJECTIVES
from tests.models.command import plain, run
from tests.models.made_up import users_of, write_data

SMALL = ["--epochs", "2", "--batch-size", "30", "--hidden-size", "8", "--num-layers", "1"]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    lists = users_of(seed=5, num_users=29, num_items=15, lengths=(5, 9))
    write_data(tmp_path / "Tiny.txt", [range(1, 16), *lists])
    attributes = {str(item): [item % 4 + 1, 5] for item in range(1, 15)}
    (tmp_path / "Tiny_item2attributes.json").write_text(json.dumps(attributes))
    return tmp_path


def pretrain(data_dir: Path, output: Path, *more: str) -> Result:
    folders = ["--data-dir", str(data_dir), "-o", str(output)]
    return run("pretrain", "--dataset", "Tiny", *folders, *SMALL, *more)


def train(data_dir: Path, output: Path, *more: str) -> Result:
    folders = ["--data-dir", str(data_dir), "-o", str(output)]
    return run("train", "--dataset", "Tiny", *folders, "--max-epochs", "2", *more)


def test_pretrain_then_train(data_dir: Path, tmp_path: Path) -> None:
    output, file = tmp_path / "pre", tmp_path / "pre" / "pretrained.safetensors"
    result = pretrain(data_dir, output, "--segments", "0.25", "--num-heads", "4", "--seed", "3")
    assert result.exit_code == 0, result.output
    assert sorted(each.name for each in output.iterdir()) == [
        "pretrained.safetensors",
        "pretraining.json",
    ]
    for name in OBJECTIVES:
        assert name.replace("_", " ") in plain(result.output)
    content = json.loads((output / "pretraining.json").read_text())
    assert [list(record["losses"]) for record in content["epochs"]] == [list(OBJECTIVES)] * 2
    assert content["settings"]["weights"]["segments"] == 0.25
    assert content["sampler"] == {"sampler": "uniform"}
    provenance = read_pretrained(file).provenance
    assert (provenance.dataset, provenance.num_attributes, provenance.epochs) == ("Tiny", 5, 2)
    assert (provenance.hidden_size, provenance.num_heads, provenance.seed) == (8, 4, 3)

    result = train(data_dir, tmp_path / "run", "--model", "s3rec", "--pretrained", str(file))
    assert result.exit_code == 0, result.output
    assert "S3-Rec on Tiny" in result.output
    run_content = json.loads((tmp_path / "run" / "result.json").read_text())
    assert run_content["settings"]["model"] == "s3rec"
    assert run_content["settings"]["hidden_size"] == 8
    assert run_content["settings"]["num_heads"] == 4
    assert run_content["sampler"]["sampler"] == "genni"
    assert run_content["pretraining"]["seed"] == 3
    assert run_content["pretraining"]["sha256"] == read_pretrained(file).description["sha256"]


@pytest.mark.filterwarnings("ignore:beta = 0.8 pre-selects")  # of a dozen items, with reason
def test_genni_in_pretraining(data_dir: Path, tmp_path: Path) -> None:
    options = ["--sampler", "genni", "--alpha", "1.5", "--beta", "exponential:m=2,initial=0.8"]
    result = pretrain(data_dir, tmp_path / "pre", *options)
    assert result.exit_code == 0, result.output
    beta = {"schedule": "exponential", "m": 2, "initial": 0.8}
    expected = {"sampler": "genni", "alpha": 1.5, "beta": beta}
    assert json.loads((tmp_path / "pre" / "pretraining.json").read_text())["sampler"] == expected


def test_resume_reads_a_run_that_is_done_and_no_other(data_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "pre"
    first = pretrain(data_dir, output)
    before = (output / "pretrained.safetensors").read_bytes()
    again = pretrain(data_dir, output, "--resume")
    assert again.exit_code == 0, again.output
    assert plain(again.output).endswith(plain(first.output)[-60:])
    assert (output / "pretrained.safetensors").read_bytes() == before
    other = pretrain(data_dir, output, "--resume", "--seed", "1")
    assert other.exit_code == 2
    assert "holds another run: seed is 0 there, 1 here" in plain(other.output)
    assert "or replace it with --overwrite instead of --resume" in plain(other.output)


def test_help_teaches() -> None:
    result = run("pretrain", "--help")
    assert result.exit_code == 0
    for words in ("item2attributes.json", "--model s3rec --pretrained", "associated attributes"):
        assert words in plain(result.output)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max-length", "1"], "--max-length must be >= 2, as one item is not a sequence; got"),
        (["--num-heads", "3"], "--num-heads must divide --hidden-size; got --num-heads 3, --hid"),
        (["--mask-probability", "2"], "--mask-probability must be in [0, 1]; got 2"),
        (["--segments", "-1"], "error: --segments must be >= 0; got -1"),
        (["--sampler", "geni"], "did you mean 'genni'"),
    ],
)
def test_wrong_arguments_are_one_line_and_leave_nothing(
    data_dir: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = pretrain(data_dir, tmp_path / "pre", *arguments)
    assert result.exit_code == 2
    assert plain(result.output).startswith("error: ")
    assert message in plain(result.output)
    assert not (tmp_path / "pre").exists()


def test_data_without_attributes(data_dir: Path, tmp_path: Path) -> None:
    file = data_dir / "Tiny_item2attributes.json"
    file.write_text('{"1": [1],\n"99": [2]}')
    result = pretrain(data_dir, tmp_path / "pre")
    assert result.exit_code == 2
    assert "line 2: '99' is not an item of the sequences; their ids are 1 to 15" in plain(
        result.output
    )
    file.write_text("{}")
    result = pretrain(data_dir, tmp_path / "pre")
    assert "Tiny has no attributes, which S3-Rec is pre-trained on" in plain(result.output)
    file.unlink()
    result = pretrain(data_dir, tmp_path / "pre")
    assert result.exit_code == 2
    assert "Tiny_item2attributes.json is missing" in plain(result.output)


def test_weights_that_do_not_fit_cost_no_training(data_dir: Path, tmp_path: Path) -> None:
    assert pretrain(data_dir, tmp_path / "pre").exit_code == 0
    file = str(tmp_path / "pre" / "pretrained.safetensors")
    cases = [
        (["--model", "s3rec"], "--model s3rec needs --pretrained FILE; make one with"),
        (["--pretrained", file], "--pretrained is for --model s3rec; the model is sasrec"),
        (["--model", "s3rec", "--pretrained", str(tmp_path)], "is missing or not a file"),
        (
            ["--model", "s3rec", "--pretrained", file, "--hidden-size", "16"],
            "has other sizes (hidden_size is 8 there, 16 here)",
        ),
        (
            ["--model", "s3rec", "--pretrained", file, "--dataset", "synthetic"],
            "was pre-trained on Tiny, which has 15 items; synthetic has 1500",
        ),
    ]
    for arguments, message in cases:
        result = train(data_dir, tmp_path / "run", *arguments)
        assert result.exit_code == 2, arguments
        assert message in plain(result.output)
        assert not (tmp_path / "run").exists()


def test_more_than_one_process_is_refused(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def two_processes() -> Iterator[tuple[Processes, Console]]:
        yield Processes(size=2), Console()

    monkeypatch.setattr("negsamp_models.commands.pretrain.joined_session", two_processes)
    result = pretrain(data_dir, tmp_path / "pre")
    assert result.exit_code == 2
    assert "pretrain runs in one process; got 2" in plain(result.output)
