"""The command line, from arguments to files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import negsamp
from negsamp import ConfigError, NegSampWarning
from negsamp_models.commands.options import parse_schedule
from negsamp_models.commands.pretrain import SYNTHETIC_PRETRAINING
from negsamp_models.settings import SYNTHETIC_SETTINGS, PretrainingSettings, TrainingSettings
from tests.models.children import finish, start, wait_for_checkpoint
from tests.models.command import plain, run
from tests.models.made_up import users_of, write_data

TINY = ["--dataset", "Tiny", "--max-epochs", "2"]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    lists = users_of(seed=5, num_users=40, num_items=15, lengths=(5, 9))
    write_data(tmp_path / "Tiny.txt", [*lists, range(1, 16)])
    return tmp_path


def test_compare_writes_a_table_a_picture_and_everything(data_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    result = run("compare", *TINY, "--data-dir", str(data_dir), "-o", str(output), "--alpha", "1.5")
    assert result.exit_code == 0, result.output
    samplers = ["uniform", "popularity gamma=0.75", "GenNi alpha=1.5 beta=1"]
    assert "actions, 6.5 a user.\n" in result.output
    for words in (*samplers, "NDCG@10", "41 users, 15 items"):
        assert words in plain(result.output)
    folders = ["genni-alpha=1.5-beta=1", "popularity-gamma=0.75", "uniform"]
    names = ["compare.json", "compare.png", *folders]
    assert sorted(path.name for path in output.iterdir()) == names
    assert (output / "compare.png").read_bytes().startswith(b"\x89PNG")
    runs = json.loads((output / "compare.json").read_text())
    assert list(runs) == samplers
    assert runs[samplers[2]]["sampler"] == {"sampler": "genni", "alpha": 1.5, "beta": 1.0}
    assert [len(each["epochs"]) for each in runs.values()] == [2, 2, 2]
    assert {each["settings"]["hidden_size"] for each in runs.values()} == {64}


def test_train_then_table(data_dir: Path, tmp_path: Path) -> None:
    for seed in ("0", "1"):
        result = run(
            *("train", *TINY, "--data-dir", str(data_dir), "-o", str(tmp_path / f"run{seed}")),
            *(
                "--sampler",
                "genni",
                "--alpha",
                "loss_driven:initial=1",
                "--beta",
                "exponential:m=2,initial=0.2",
            ),
            *("--seed", seed, "--hidden-size", "8", "--loss", "bpr", "-k", "2"),
        )
        assert result.exit_code == 0, result.output
        name = "GenNi alpha=loss_driven(initial=1) beta=exponential(m=2, initial=0.2) k=2 bpr"
        assert plain(result.output).startswith(f"{name} epoch 1 loss")
        assert f"negatives HR@5 NDCG@5 HR@10 NDCG@10 best s/epoch sampling ─── {name} " in re.sub(
            "─+", "───", plain(result.output)
        )
    names = ["curves.png", "log.jsonl", "model.safetensors", "result.json"]
    assert sorted(path.name for path in (tmp_path / "run0").iterdir()) == names
    weights = load_file(tmp_path / "run0" / "model.safetensors")
    assert weights["items.weight"].shape == (16, 8)
    table = run("table", str(tmp_path / "run0"), str(tmp_path / "run1"))
    assert table.exit_code == 0, table.output
    head, _, line = table.output.splitlines()
    assert head.startswith("| data | configuration | HR@5 |")
    assert line.startswith(f"| Tiny | {name} max_epochs=2 hidden_size=8 |")
    tests = [
        json.loads((tmp_path / f"run{seed}" / "result.json").read_text())["test"]["HR@5"]
        for seed in (0, 1)
    ]
    mean, deviation = np.mean(tests), np.std(tests, ddof=1)
    assert line.split(" | ")[2:3] == [f"{mean:.2f} ± {deviation:.2f}"]
    assert line.split(" | ")[6] == "2"
    text = "Before.\n<!-- results: negsamp table {} -->\n{}<!-- end of results -->\nAfter.\n"
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    page.write_text(old := text.format(f"{tmp_path}/run{{0,1}}", "stale\n"))
    other.write_text("<!-- end of results -->\n")
    refused = run("table", "--rewrite", str(page), str(other))
    assert refused.exit_code == 2
    assert "other.md: found 0 marked tables" in plain(refused.output)
    assert page.read_text() == old
    assert run("table", "--rewrite", str(page)).output == f"Rewritten: {page}\n"
    assert page.read_text() == text.format(f"{tmp_path}/run{{0,1}}", table.output)
    assert run("table", "--rewrite", str(page)).output == f"Unchanged: {page}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--dataset", "Beuty"], "Beauty"),
        (["table", "--rewrite", "--no-times", "page.md"], "write --no-times into those"),
        (["train", "--sampler", "geni"], "did you mean 'genni'"),
        (["train", "--alpha", "loss_drivn:initial=1"], "did you mean 'loss_driven'"),
        (["train", "--alpha", "loss_driven:initial=x"], "write a number, or a schedule"),
        (["train", "--alpha", "2,5"], "--alpha '2,5' is not a number; read as a schedule: unknown"),
        (["compare", "--beta", "exponential"], "not a number; read as a schedule: beta's schedule"),
        *(
            ([command, "--overwrite", "--resume", "--dataset", "None"], "give either --resume or")
            for command in ("train", "compare", "pretrain")
        ),
        (["train", "--alpha", "-1"], "error: --alpha must stay in [0, 1e+38]; got -1"),
        (
            ["train", "--alpha", ""],
            "--alpha '' is not a number; read as a schedule: unknown schedule ''",
        ),
        (
            ["train", "--beta", ""],
            "--beta '' is not a number; read as a schedule: unknown schedule ''",
        ),
        (["train", "--beta", "0"], "error: --beta must stay in (0, 1]; got 0"),
        (
            ["train", "--hidden-size", "7"],
            "error: --num-heads must divide --hidden-size; got --num",
        ),
        (["train", "--num-heads", "128"], "got --num-heads 128, --hidden-size 32"),
        (["train", "--device", "cuda:99"], "(torch finds"),
        (["train", "--device", "gpu"], "error: --device must be auto"),
        (["reproduce", "table1", "--device", "gpu"], "error: --device must be auto"),
        *(
            (
                [*command, "--device", "cpu", "--cuda-graphs"],
                "error: --cuda-graphs needs a CUDA device; the device of this run is cpu",
            )
            for command in (["train"], ["compare"], ["reproduce", "table1"])
        ),
        (["train", "--cuda-graphs", "--device", "gpu"], "error: --device must be auto"),
        (["train", "--keep-weights", "-1"], "--keep-weights must be an integer >= 0; got -1"),
        (["train", "--alpha", "linear:initial=0"], "error: --alpha's schedule 'linear' needs"),
        (["train", "--learning-rate", "0"], "error: --learning-rate must be > 0; got 0.0"),
        (["train", "--sharded-items"], "--sharded-items needs several processes: start the run"),
        (["train", "--model", "s3rec"], "--model s3rec needs --pretrained FILE; make one with"),
        (["train", "--pretrained", "x"], "--pretrained is for --model s3rec; the model is sasrec"),
        (
            ["train", "--keep-weights", "0,3,4,9", "--max-epochs", "3"],
            "--keep-weights 4,9: the run has at most 3 epochs; leave out later ones, or raise",
        ),
        (
            ["train", "--keep-weights", "2", "--max-epochs", "1"],
            "the run has at most 1 epoch; leave",
        ),
        (["train", "--keep-weights", "101"], "--keep-weights 101: the run has at most 100 epochs"),
        (["train", "-o", "/dev/null/a"], "written to /dev/null/a: /dev/null is a file; name"),
        (["train", "--max-length", "1"], "--max-length must be >= 2, as one item is not a seq"),
        (["train", "--checkpoint-seconds", "0"], "--checkpoint-seconds must be > 0; got 0"),
        (["train", "--checkpoint-batches", "0"], "--checkpoint-batches must be an integer"),
        (["compare", "--max-epochs", "0"], "--max-epochs must be an integer >= 1; got 0"),
        (["table", "nowhere/result.json"], "nowhere/result.json is missing: name the folder or"),
        (["plot", "nowhere"], "nowhere is missing: name the folder or the result.json of a run"),
        (["plot", "nowhere", "-o", "x.jpg"], "must end in .png, .svg or .pdf; got 'x.jpg'"),
        (["law", "nowhere", "-o", "law"], "must end in .png, .svg or .pdf; got 'law'"),
    ],
)
def test_wrong_arguments_are_one_line_and_leave_nothing(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEGSAMP_DATA", raising=False)
    result = run(*arguments)
    assert result.exit_code == 2
    assert plain(result.output).startswith("error: ")
    assert message in plain(result.output)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the file is empty"),
        ("1 1 2 3 4\n2 1 2 3\n", "line 2: user 2 has 3 items, at least 4 are needed"),
        ("1 5\n", "line 1: user 1 has 1 item, at least 4 are needed"),
        ("1 1 2 1 3\n2 2 3 2 1\n", "the validation set of Own is empty"),
    ],
    ids=["no users", "few items", "one item", "all answers seen"],
)
def test_data_that_cannot_be_trained_on_are_one_line(
    text: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "Own.txt").write_text(text)
    output = tmp_path / "out"
    for command in ("train", "compare"):
        result = run(command, "--dataset", "Own", "--data-dir", str(tmp_path), "-o", str(output))
        assert result.exit_code == 2
        assert message in plain(result.output).partition("error: ")[2]
        assert not output.exists()


def test_checkpoints_that_do_not_fit_cost_no_training(data_dir: Path, tmp_path: Path) -> None:
    """A run is killed after two epochs, and asked to go on as what it is not."""
    output = tmp_path / "out"
    write_data(data_dir / "Other.txt", users_of(1, num_users=30, num_items=17, lengths=(9, 10)))
    arguments = ["train", *TINY, "--data-dir", str(data_dir), "-o", str(output), "--resume"]
    endless = ["--max-epochs", "100000", "--patience", "100000"]
    process = start([*arguments, *endless], tmp_path / "printed.txt")
    wait_for_checkpoint(process, output, after="000002")
    process.kill()
    finish(process)
    before = sorted((output / "checkpoints").iterdir())
    other = run(*arguments, "--dataset", "Other")
    assert other.exit_code == 2
    assert "is of another run: dataset.name is 'Tiny' there, 'Other' here" in plain(other.output)
    assert "dataset.num_items is 15 there, 17 here" in plain(other.output)
    shorter = run(*arguments, "--max-epochs", "1")
    assert shorter.exit_code == 2
    message = r"error: --max-epochs must be >= \d+ to resume from the checkpoint, which was saved "
    assert re.match(message, plain(shorter.output))
    assert sorted((output / "checkpoints").iterdir()) == before


def test_a_broken_result_is_named(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"dataset": "x"}')
    result = run("table", str(tmp_path))
    assert result.exit_code == 2
    assert "result.json is not the result of a run" in plain(result.output)


def test_a_comparison_goes_on_where_it_was_cut_off(data_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    arguments = ["compare", *TINY, "--data-dir", str(data_dir), "-o", str(output)]
    assert run(*arguments).exit_code == 0
    whole = json.loads((output / "compare.json").read_text())
    (output / "compare.json").unlink()
    genni = "GenNi alpha=2.5 beta=1"
    (output / "genni-alpha=2.5-beta=1" / "result.json").unlink()
    result = run(*arguments, "--resume")
    assert result.exit_code == 0, result.output
    again = json.loads((output / "compare.json").read_text())
    assert again["uniform"] == whole["uniform"]  # read, with its times, not trained
    assert again[genni]["test"] == whole[genni]["test"]
    assert again[genni]["epochs"] != whole[genni]["epochs"]  # its times differ
    result = run(*arguments, "--resume", "--seed", "1")
    assert result.exit_code == 2
    assert "uniform/result.json is of another run: settings.seed is 0" in plain(result.output)


def test_plot_draws_runs_done_or_not(data_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert run("compare", *TINY, "--data-dir", str(data_dir), "-o", str(output)).exit_code == 0
    (output / "uniform" / "result.json").unlink()
    (output / "genni-alpha=2.5-beta=1" / "log.jsonl").unlink()
    picture = tmp_path / "curves.svg"
    result = run("plot", str(output), "-o", str(picture), "--metric", "HR@5")
    assert result.exit_code == 0, result.output
    assert "(3 runs)" in plain(result.output)
    assert b"<svg" in picture.read_bytes()
    for arguments, message in (
        ([str(output), "--metric", "HR@7"], "metric must be one of HR@5, HR@10, HR@20"),
        ([str(output), "-o", str(picture / "x.png")], f"written to {picture}: it is a file; name"),
    ):
        result = run("plot", *arguments)
        assert (result.exit_code, message in plain(result.output)) == (2, True), result.output


def test_info_lists_the_backends_and_no_log_of_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own: what TensorFlow logs, it logs when it is first imported."""
    for name in ("TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    command = [sys.executable, "-m", "negsamp_models", "info"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"devices \S+ status ", plain(done.stdout))
    assert re.search(r"numpy \S+ NumPy [\d.]+ \S+ cpu \S+ ready", plain(done.stdout))
    assert not re.search("oneDNN|absl::|TensorFlow binary", done.stderr)


def test_a_warning_is_one_line_of_words(tmp_path: Path) -> None:
    arguments = ["train", "--beta", "0.00001", "-o", str(tmp_path / "out")]
    with warnings.catch_warnings():
        warnings.simplefilter("default", NegSampWarning)
        result = run(*arguments)
    assert result.exit_code == 2
    warning, error = result.stderr.splitlines()
    assert plain(warning).startswith("warning: beta = 1e-05 pre-selects 1 of 1,500 items for all")
    assert plain(warning).endswith("Pre-select at least 2, as with beta = 0.002")
    assert re.match(r"error: row \d+ has no admissible item: ", plain(error))


def test_help_begins_with_examples_and_groups_the_options() -> None:
    examples = {
        "train": "negsamp train --sampler genni -o runs/genni negsamp train --dataset Beauty",
        "compare": "negsamp compare negsamp compare --dataset Beauty --alpha 2.5 -o runs/beauty",
    }
    for command in ("train", "compare", "pretrain"):
        shown = run(command, "--help").output
        panels = re.findall(r"╭─ (\w+) ─", shown)
        models = [] if command == "compare" else ["Model"]
        assert panels == ["Options", "Data", "Sampler", *models, "Training", "Output"]
        first = plain(shown).partition("For example: ")[2]
        assert first.startswith(examples.get(command, ""))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([], "sequence models, with reference models. "),
        ([], "│ law Plot the distribution of one user's negatives, along the sequence and over"),
        (["pretrain"], "S3-Rec: pre-train a bidirectional SASRec on item attributes and masked"),
        (["pretrain"], "--masked-items <float> Weight of the masked-item objective. Default 1."),
        (["train"], "Also save within an epoch, after this many seconds. A checkpoint is"),
        (["train"], "-k <int range> [x>=1] Number of negatives per positive. "),
    ],
)
def test_help_is_in_the_terms_of_the_field(command: list[str], words: str) -> None:
    assert words in plain(run(*command, "--help").output)


@pytest.mark.parametrize("command", ["info", "law", "plot", "report", "reproduce", "table"])
def test_the_other_commands_have_a_help_too(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Usage: negsamp {command} " in plain(result.output)


def test_the_version_is_shown_alone() -> None:
    result = run("--version")
    assert (result.exit_code, result.output) == (0, f"negsamp {negsamp.__version__}\n")


@pytest.mark.parametrize(
    ("command", "default", "synthetic", "names"),
    [
        (
            "train",
            TrainingSettings(),
            SYNTHETIC_SETTINGS,
            "max_epochs patience batch_size learning_rate hidden_size num_layers num_heads dropout "
            "max_length",
        ),
        ("compare", TrainingSettings(), SYNTHETIC_SETTINGS, "max_epochs patience"),
        (
            "pretrain",
            PretrainingSettings(),
            SYNTHETIC_PRETRAINING,
            "epochs batch_size learning_rate mask_probability hidden_size num_layers num_heads "
            "dropout max_length",
        ),
    ],
)
def test_help_says_what_a_setting_is_if_it_is_not_given(
    command: str, default: object, synthetic: object, names: str
) -> None:
    shown = plain(re.sub("[│]", " ", run(command, "--help").output))
    for name in names.split():
        value, embedded = getattr(default, name), getattr(synthetic, name)
        expected = f"{value:g}" if value == embedded else f"{value:g}; {embedded:g} for synthetic"
        option = "--" + name.replace("_", "-")
        pattern = rf"{option} <\w+> [^╰]*? Default {re.escape(expected)}\. [-╰]"
        assert re.search(pattern, shown), name


def test_schedules_are_numbers_or_named() -> None:
    assert parse_schedule("alpha", "2.5") == 2.5
    assert parse_schedule("alpha", "loss_driven") == {"schedule": "loss_driven"}
    assert parse_schedule("beta", "exponential:m=40,initial=0.01") == {
        "schedule": "exponential",
        "m": 40,
        "initial": 0.01,
    }
    with pytest.raises(ConfigError, match="write a number, or a schedule"):
        parse_schedule("alpha", "linear:a=b")


@pytest.mark.parametrize(
    ("command", "option", "value", "told"),
    [
        ("train", "--num-heads", "3", "--num-heads must divide"),
        ("train", "--device", "phone", "--device must be"),
        ("train", "--alpha", "-1", "--alpha must"),
        ("train", "--sharded-items", "", "--sharded-items needs several processes"),
        ("compare", "--patience", "0", "--patience must"),
        ("compare", "--beta", "0", "--beta must"),
        ("compare", "--gamma", "nan", "--gamma must"),
        ("compare", "--cuda-graphs", "", "--cuda-graphs needs a CUDA device"),
        ("pretrain", "--epochs", "0", "--epochs must"),
        ("pretrain", "--sampler", "unifrom", "unknown sampler 'unifrom'"),
    ],
)
def test_settings_are_checked_before_data_are_loaded(
    tmp_path: Path, command: str, option: str, value: str, told: str
) -> None:
    wrong = run(
        *(command, "--dataset", "Missing", "--data-dir", str(tmp_path)),
        *("-o", str(tmp_path / "out"), *("--device", "cpu"), option, *filter(None, [value])),
    )
    assert wrong.exit_code == 2
    assert f"error: {told}" in plain(wrong.stderr)
    assert not (tmp_path / "out").exists()
