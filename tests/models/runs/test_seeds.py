"""``negsamp train --seeds``: several runs by one command, and their table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import Result

from tests.models.command import plain, run
from tests.models.made_up import users_of, write_data


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_data(tmp_path / "Tiny.txt", [*users_of(5, num_users=20, num_items=15), range(1, 16)])
    monkeypatch.setenv("NEGSAMP_DATA", str(tmp_path))
    return tmp_path


def train(output: Path, *more: str) -> Result:
    sizes = ["--max-epochs", "1", "--hidden-size", "8", "--num-layers", "1", "--alpha", "1"]
    return run("train", "--dataset", "Tiny", *sizes, "-o", str(output), *more)


def test_each_seed_is_a_run_and_the_table_is_that_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    done = train(folder, "--seeds", "2", "--seed", "3")
    assert done.exit_code == 0, done.output
    assert sorted(each.name for each in folder.iterdir()) == ["seed3", "seed4"]
    for seed in (3, 4):
        result = json.loads((folder / f"seed{seed}" / "result.json").read_text())
        assert result["settings"]["seed"] == seed
        assert f"Seed {seed} ({seed - 2} of 2)" in done.stdout
    table = run("table", str(folder)).stdout
    assert done.stdout.endswith(f"\n\n{table}")
    assert " ± " in table
    alone = train(tmp_path / "alone", "--seed", "4")
    assert alone.exit_code == 0
    results = [
        json.loads((each / "result.json").read_text())
        for each in (folder / "seed4", tmp_path / "alone")
    ]
    assert results[0]["test"] == results[1]["test"]


def test_of_users_who_return_all_items_are_ranked_too(tmp_path: Path) -> None:
    sequences = [[*items, items[0]] for items in users_of(5, num_users=20, num_items=15)]
    write_data(tmp_path / "Tiny.txt", [*sequences, range(1, 16)])
    done = train(tmp_path / "runs", "--seeds", "2")
    masked, _, ranked = done.stdout.partition("The answer of 95% of the users is an item that they")
    assert masked.endswith(f"\n\n{run('table', str(tmp_path / 'runs')).stdout}\n")
    files = (tmp_path / "runs").glob("seed*/result.json")
    tests = [json.loads(file.read_text())["test_unmasked"]["HR@10"] for file in files]
    assert f"| {sum(tests) / 2:.2f} ± " in ranked


def test_seeds_are_resumed_and_added(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    assert train(folder, "--seeds", "1").exit_code == 0
    before = (folder / "seed0" / "result.json").read_bytes()
    refused = train(folder, "--seeds", "2")
    assert refused.exit_code == 2
    assert "seed0 holds a finished run: show it with --resume" in plain(refused.stderr)
    assert not (folder / "seed1").exists()
    done = train(folder, "--seeds", "2", "--resume")
    assert done.exit_code == 0
    assert done.stdout.count("finished before; nothing is trained") == 1
    assert (folder / "seed0" / "result.json").read_bytes() == before
    assert "| 2 |" in done.stdout.splitlines()[-1]
    assert train(folder, "--seeds", "0").exit_code == 2


def test_a_run_in_a_later_folder_is_found_before_the_first_starts(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    assert train(folder, "--seeds", "1", "--seed", "1").exit_code == 0
    refused = train(folder, "--seeds", "2")
    assert refused.exit_code == 2
    assert "seed1 holds a finished run: show it with --resume" in plain(refused.stderr)
    assert not (folder / "seed0").exists()


def test_compare_finds_a_run_of_a_later_sampler_before_the_first_starts(tmp_path: Path) -> None:
    (tmp_path / "both" / "genni-alpha=1-beta=1").mkdir(parents=True)
    (tmp_path / "both" / "genni-alpha=1-beta=1" / "result.json").write_text("{}")
    few = ["--dataset", "Tiny", "--max-epochs", "1", "--alpha", "1"]
    refused = run("compare", *few, "-o", str(tmp_path / "both"))
    assert refused.exit_code == 2, refused.output
    assert "holds a finished run" in plain(refused.stderr)
    assert [each.name for each in (tmp_path / "both").iterdir()] == ["genni-alpha=1-beta=1"]
