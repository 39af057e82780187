"""Where the time goes: measured for real, and told on the page of training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from benchmarks import training
from negsamp_models.datasets import load_dataset

ROOT = Path(__file__).parents[2]


def test_the_page_has_the_table_of_the_files() -> None:
    files = sorted((ROOT / "results" / "training").glob("*.json"))
    results = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    assert [result["dataset"] for result in results] == ["Beauty"]
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    assert training.table(results) in page


def test_a_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "NUM_PASSES", 1)
    before = torch.get_num_threads()
    try:
        result = training.measure("synthetic")
    finally:
        torch.set_num_threads(before)
    for what in ("epoch", "evaluation"):
        cost = result[what]
        assert 0 < cost["floor"] < cost["seconds"]
        assert 0.05 < cost["shares"]["addmm"] < sum(cost["shares"].values()) <= 1
    products = 2 * result["num_users"] * (result["num_items"] + 1) * 64 / 1e9
    assert result["evaluation"]["gigaflop"] > products
    assert 0.4 < result["evaluation"]["seconds_on_two"] / result["evaluation"]["seconds"] < 1.2
    assert len(training.table([result]).splitlines()) == 4


def test_the_command_writes_a_file_and_names_what_it_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed = json.loads((ROOT / "results" / "training" / "beauty.json").read_text())
    monkeypatch.setattr(training, "RESULTS", tmp_path)
    monkeypatch.setattr(training, "measure", lambda name: committed | {"dataset": name})
    command = typer.Typer()
    command.command()(training.main)
    shown = CliRunner().invoke(command, ["Toys"])
    assert [file.name for file in tmp_path.iterdir()] == ["toys.json"]
    assert "| Toys | epoch | " in shown.output
    assert CliRunner().invoke(command, []).output == shown.output
    monkeypatch.setattr(training, "measure", load_dataset)
    refused = CliRunner().invoke(command, ["Beuty"])
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: unknown data set 'Beuty': did you mean 'Beauty'?")
