"""Pre-trainings that runs of a grid begin with: made first, once, and part of what a run is."""

from __future__ import annotations

import json
import pickle
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from negsamp_models.commands.application import application
from negsamp_models.processes import RunStoppedError
from negsamp_models.records.run_key import key_of
from negsamp_models.reproduction.declarations import load_grid
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.running import make_runs, results_below
from negsamp_models.reproduction.worker import Workplace
from negsamp_models.s3rec.watching import Silent
from negsamp_models.settings import PretrainingSettings, TrainingSettingsError
from tests.models.made_up import users_of, write_data
from tests.models.reproduction.made_up import Told

TINY_S3REC = """
title = "Tiny"
datasets = ["Tiny"]
seeds = 1
metrics = ["HR@5"]

[rows.S3-Rec]
sampler = "uniform"
settings = { max_epochs = 2, hidden_size = 8, num_layers = 1, model = "s3rec" }

[rows.GenNi_S3]
sampler = "genni"
alpha = 2.5
beta = 1.0
settings = { max_epochs = 2, hidden_size = 8, num_layers = 1, model = "s3rec" }
"""


@pytest.fixture
def s3rec(tmp_path: Path) -> Grid:
    write_data(tmp_path / "Tiny.txt", users_of(5, num_users=30, num_items=15, lengths=(8, 9)))
    attributes = {str(item): [item % 4 + 1, 5] for item in range(1, 16)}
    (tmp_path / "Tiny_item2attributes.json").write_text(json.dumps(attributes))
    (tmp_path / "tiny.toml").write_text(TINY_S3REC, encoding="utf-8")
    return load_grid(str(tmp_path / "tiny.toml"))


def make_s3rec(grid: Grid, data_dir: Path) -> tuple[list[str], list[str]]:
    """Make the runs, two at once; return what ended in this order, and the failures."""
    make_runs([grid], Workplace(data_dir / "results", data_dir, "cpu"), 2, told := Told())
    return [step.slug.split("-")[0] for step, _ in told.ended], told.failures


def test_runs_share_one_pretraining_that_is_made_first(s3rec: Grid, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    ended, failures = make_s3rec(s3rec, tmp_path)
    assert failures == []
    assert ended[0] == "pretraining"
    assert sorted(ended[1:]) == ["genni", "uniform"]
    results, runs = results_below(folder), [cell.choices[0].runs[0] for cell in s3rec.cells]
    begun = [results[run.key].pretraining for run in runs]
    assert begun[0] is not None
    assert begun[0] == begun[1]
    assert (begun[0]["epochs"], begun[0]["hidden_size"], begun[0]["batch_size"]) == (2, 8, 100)
    own = folder / "tiny" / "pretraining-epochs2-hiddensize8-numlayers1" / "seed0"
    names = ["pretrained.safetensors", "pretraining.json"]
    assert sorted(path.name for path in own.iterdir()) == names
    assert make_s3rec(s3rec, tmp_path) == ([], [])
    (own / "pretrained.safetensors").unlink()
    assert make_s3rec(s3rec, tmp_path) == ([], [])  # nothing needs them
    runs[1].file(folder).unlink()
    assert make_s3rec(s3rec, tmp_path) == (["pretraining", "genni"], [])
    assert results_below(folder)[runs[1].key].pretraining == begun[1]


@pytest.mark.usefixtures("s3rec")
def test_a_pretraining_that_fails_stops_what_waits_for_it_alone(tmp_path: Path) -> None:
    (tmp_path / "Tiny_item2attributes.json").unlink()
    text = TINY_S3REC + '[rows.SASRec]\nsampler = "uniform"\nsettings = { max_epochs = 1 }\n'
    (tmp_path / "tiny.toml").write_text(text, encoding="utf-8")
    ended, failures = make_s3rec(load_grid(str(tmp_path / "tiny.toml")), tmp_path)
    assert sorted(ended) == ["pretraining", "uniform"]
    assert len(failures) == 1
    assert "Tiny_item2attributes.json is missing" in failures[0]


def test_weights_of_another_pretraining_are_refused(s3rec: Grid, tmp_path: Path) -> None:
    begun = s3rec.cells[0].choices[0].runs[0].pretraining
    assert begun is not None
    other = replace(begun, settings=replace(begun.settings, mask_probability=0.5))
    other.make(tmp_path / "results", tmp_path, "cpu", Silent())
    begun.folder(tmp_path / "results").parent.mkdir()
    other.folder(tmp_path / "results").rename(begun.folder(tmp_path / "results"))
    ended, failures = make_s3rec(s3rec, tmp_path)
    assert sorted(ended) == ["genni", "uniform"]
    assert "is of another pre-training than pretraining-epochs2-hiddensize8" in failures[0]


def test_pretrainings_are_those_of_the_authors() -> None:
    grid = load_grid("table1", seeds=2)
    cells = [cell for cell in grid.cells if cell.row == "GenNi_S3"]
    runs = [run for cell in cells for run in cell.choices[0].runs]
    found = {run.pretraining for run in runs if run.pretraining is not None}
    assert {(each.dataset, each.settings.epochs) for each in found} == {
        ("Beauty", 150),
        ("Sports_and_Outdoors", 100),
        ("Toys_and_Games", 150),
        ("Yelp", 100),
    }
    assert {each.settings.seed for each in found} == {0, 1}
    for each in found:
        published = PretrainingSettings(epochs=each.settings.epochs, seed=each.settings.seed)
        assert each.settings == published
        assert each.slug == "pretraining"
    assert {run.pretraining for run in runs} == {
        run.pretraining
        for cell in grid.cells
        if cell.row == "S3-Rec"
        for run in cell.choices[0].runs
    }
    assert [run.slug for run in cells[0].choices[0].runs] == ["genni-alpha2.5-beta1-s3rec"] * 2
    trial = load_grid("table1", ["Beauty"], seeds=1, max_epochs=3).cells[-1].choices[0].runs[0]
    assert trial.pretraining is not None
    assert trial.pretraining.settings.epochs == 3


def test_a_run_is_another_with_another_pretraining() -> None:
    run = load_grid("table1", ["Beauty"], seeds=1).cells[-1].choices[0].runs[0]
    assert run.pretraining is not None
    told = run.dataset, run.sampler, asdict(run.settings)
    known = {"dataset": "Beauty", "sha256": "0", **run.pretraining.identity}
    assert key_of(*told, known) == run.key
    assert key_of(*told) != run.key
    changes: list[dict[str, Any]] = [{"epochs": 20}, {"weights": {"segments": 1}}, {"sampler": {}}]
    for changed in changes:
        assert key_of(*told, known | changed) != run.key


def test_the_plan_shows_what_is_pretrained_first(tmp_path: Path) -> None:
    arguments = ["reproduce", "table1", "--dataset", "Toys", "--seeds", "2", "--dry-run"]
    shown = CliRunner().invoke(
        application, [*arguments, "--results", str(tmp_path)], env={"COLUMNS": "120"}
    )
    assert shown.exit_code == 0, shown.output
    words = [" ".join(line.split()) for line in shown.output.splitlines()]
    for seed in (0, 1):
        first = words.index(f"Toys pretraining seed {seed} 2 runs ?")  # as --dataset takes it
        assert words[first + 1] == f"Toys uniform-s3rec seed {seed} table1 ?"
        assert words[first + 2] == f"Toys genni-alpha2.5-beta1-s3rec seed {seed} table1 ?"


@pytest.mark.parametrize(
    "error",
    [RunStoppedError(15, "stopped"), TrainingSettingsError("device", "x", "cpu")],
    ids=["stopped", "setting"],
)
def test_errors_travel_between_processes(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(again), str(again), again.args) == (type(error), str(error), error.args)
