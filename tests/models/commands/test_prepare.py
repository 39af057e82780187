"""``negsamp prepare`` makes a data set that the other commands read."""

from __future__ import annotations

import bz2
import errno
import gzip
import json
import lzma
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from negsamp_models.commands.application import application
from negsamp_models.datasets import load_dataset
from tests.models.command import plain, run

ROWS = [(user, item, hour) for hour, item in enumerate("uvwxyu") for user in ("ann", "bob")]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    lines = (f"2024-05-01T{hour:02}:00:00,{item},{user}" for user, item, hour in reversed(ROWS))
    path.write_text("timestamp,item,user\n" + "\n".join([*lines, "2024-05-02,u,eve"]))
    return path


def test_a_log_is_prepared_and_trained_on(log: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = run("prepare", str(log), "-o", str(data), "--min-actions", "2")
    assert done.exit_code == 0, done.output
    assert "2 of 3 users, 5 of 5 items, 12 of 13 actions; 6.0 a user" in done.stdout
    assert "For 100% of the users the test answer is an item that they had before" in done.stdout
    assert (data / "log.txt").read_text() == "1 1 2 3 4 5 1\n2 1 2 3 4 5 1\n"
    names = json.loads((data / "log_names.json").read_text())
    assert names == {"users": ["bob", "ann"], "items": list("uvwxy")}
    few = ["--dataset", "log", "--data-dir", str(data), "--max-epochs", "1", "--hidden-size", "8"]
    trained = run("train", *few, "-o", str(tmp_path / "run"))
    assert trained.exit_code == 0, trained.output
    assert "The answer of 100% of the users is an item that they had before" in trained.stdout
    assert "SASRec on log, all items ranked" in trained.stdout


def test_what_exists_is_kept(log: Path, tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_text("weeks of work")
    refused = run("prepare", str(log), "-o", str(tmp_path))
    assert refused.exit_code == 2
    assert "exists: give another --name, or --overwrite" in plain(refused.stderr)
    assert file.read_text() == "weeks of work"
    done = run("prepare", str(log), "-o", str(tmp_path), "--min-actions", "2", "--overwrite")
    assert done.exit_code == 0
    assert file.read_text().startswith("1 1 2")
    assert "Kept" not in done.stdout


def test_attributes_of_earlier_numbers_are_pointed_out(log: Path, tmp_path: Path) -> None:
    attributes = tmp_path / "log_item2attributes.json"
    attributes.write_text("{}")
    done = run("prepare", str(log), "-o", str(tmp_path), "--min-actions", "2")
    assert f"Kept: {attributes}, which has to be of the items as they are" in plain(done.stdout)
    assert attributes.read_text() == "{}"


def test_the_log_itself_is_kept(log: Path, tmp_path: Path) -> None:
    content = log.read_text()
    own = log.rename(tmp_path / "log.txt")
    refused = run("prepare", str(own), "-o", str(tmp_path), "--min-actions", "2", "--overwrite")
    assert refused.exit_code == 2
    assert "is the log itself: give another --name, or --output" in plain(refused.stderr)
    assert own.read_text() == content


@pytest.mark.parametrize("full_at", [".txt", ".json"])
def test_a_full_disk_leaves_the_old_data_and_their_names(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_at: str
) -> None:
    arguments = ["prepare", str(log), "-o", str(tmp_path), "--min-actions", "2", "--overwrite"]
    files = tmp_path / "log.txt", tmp_path / "log_names.json"
    for file in files:
        file.write_text("old")
    written = Path.write_text

    def full(path: Path, *content: str, **how: str) -> int:
        if path.suffix == full_at:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return written(path, *content, **how)

    monkeypatch.setattr(Path, "write_text", full)
    refused = run(*arguments)
    assert refused.exit_code != 0
    assert "No space left on device" in plain(refused.output + repr(refused.exception))
    assert [file.read_text() for file in files] == ["old", "old"]
    assert {file.name for file in tmp_path.iterdir()} == {log.name, *(file.name for file in files)}


def test_an_interruption_leaves_no_data_beside_the_names_of_others(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["prepare", str(log), "-o", str(tmp_path), "--min-actions", "2", "--overwrite"]
    (tmp_path / "log.txt").write_text("old")
    (tmp_path / "log_names.json").write_text("old")
    replaced = Path.replace

    def interrupted(path: Path, target: Path) -> Path:
        if target.suffix == ".txt":
            replaced(path, target)
            raise KeyboardInterrupt
        return replaced(path, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    assert run(*arguments).exit_code == 130
    assert (tmp_path / "log.txt").read_text().startswith("1 1 2")
    assert not (tmp_path / "log_names.json").exists()


def test_a_name_may_hold_dots_spaces_and_brackets(log: Path, tmp_path: Path) -> None:
    named = log.rename(tmp_path / "my log[red].2024.csv")
    named.write_bytes(b"\xef\xbb\xbf" + named.read_bytes().replace(b"\n", b"\r\n"))
    done = run("prepare", str(named), "-o", str(tmp_path), "--min-actions", "2")
    assert done.exit_code == 0, done.output
    assert "my log[red].2024.txt, my log[red].2024_names.json" in plain(done.stdout)
    assert load_dataset("my log[red].2024", tmp_path).num_users == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "Beauty"], "'Beauty' cannot be the name of your own data"),
        (["--name", "a/b"], "'a/b' cannot be the name of your own data"),
        (["--user", "usr"], "log.csv: the first line names no column 'usr', .* mean 'user'"),
        (["--time", "item"], "log.csv: line 2 has item 'u', which is not a date"),
        (["--name", ""], "'' cannot be the name of your own data"),
        (["--delimiter", ";;"], "--delimiter must be one character, .* got ';;'"),
        (["--delimiter", '"'], "--delimiter must be one character, neither a quote"),
        (["--min-actions", "9"], "of 9 or more, with items of 9 .* a smaller .*--min-actions"),
    ],
)
def test_wrong_arguments_write_nothing(
    log: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    refused = run("prepare", str(log), "-o", str(tmp_path / "data"), *arguments)
    assert refused.exit_code == 2
    assert re.search(message, plain(refused.stderr)), refused.stderr
    assert not list(tmp_path.glob("data/*"))


def test_a_log_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    missing = run("prepare", str(tmp_path / "log.csv"), "-o", str(tmp_path))
    assert "log.csv: No such file" in plain(missing.stderr)
    (tmp_path / "bytes.csv").write_bytes(b"user,item,timestamp\na,\xff,1\n")
    refused = run("prepare", str(tmp_path / "bytes.csv"), "-o", str(tmp_path))
    assert "after line 0 a byte is not UTF-8" in plain(refused.stderr)


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


@pytest.mark.parametrize("suffix", PACKINGS)
def test_a_compressed_log_is_read(log: Path, tmp_path: Path, suffix: str) -> None:
    packed = tmp_path / f"mine.tsv{suffix}"
    packed.write_bytes(PACKINGS[suffix](log.read_bytes().replace(b",", b"\t")))
    done = run("prepare", str(packed), "-o", str(tmp_path / "data"), "--min-actions", "2")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "data" / "mine.txt").read_text() == "1 1 2 3 4 5 1\n2 1 2 3 4 5 1\n"


@pytest.mark.parametrize("harm", ["cut", "changed", "plain"])
@pytest.mark.parametrize("suffix", PACKINGS)
def test_a_broken_archive_is_refused(log: Path, tmp_path: Path, suffix: str, harm: str) -> None:
    content = PACKINGS[suffix](log.read_bytes())
    broken = {
        "cut": content[:-9],
        "changed": content[:-6] + bytes([content[-6] ^ 255]) + content[-5:],
        "plain": log.read_bytes(),
    }[harm]
    packed = tmp_path / f"log.csv{suffix}"
    packed.write_bytes(broken)
    refused = run("prepare", str(packed), "-o", str(tmp_path / "data"), "--min-actions", "2")
    assert refused.exit_code == 2, refused.output
    assert f"error: {packed}: it is not a whole {suffix} file: " in plain(refused.stderr)
    assert not list(tmp_path.glob("data/*"))


def test_another_compression_is_named(log: Path, tmp_path: Path) -> None:
    packed = log.rename(tmp_path / "log.csv.zst")
    refused = run("prepare", str(packed), "-o", str(tmp_path / "data"))
    assert "files .zst are not read, only .gz, .bz2, .xz and plain text: unpack" in plain(
        refused.stderr
    )


def test_the_standard_input_is_read(log: Path, tmp_path: Path) -> None:
    arguments = ["prepare", "-", "-o", str(tmp_path), "--min-actions", "2"]
    nameless = CliRunner().invoke(application, arguments, input=log.read_bytes())
    assert nameless.exit_code == 2
    assert "give one with --name" in plain(nameless.stderr)
    done = CliRunner().invoke(application, [*arguments, "--name", "m"], input=log.read_bytes())
    assert done.exit_code == 0, done.output
    assert load_dataset("m", tmp_path).num_users == 2
    wrong = CliRunner().invoke(application, [*arguments, "--name", "n"], input=b"a,b\n")
    assert "error: the standard input: the first line names no column 'user'" in plain(wrong.stderr)
