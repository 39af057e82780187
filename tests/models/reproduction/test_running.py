"""The runs of a grid, made by the command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from negsamp_models.checkpoints import CheckpointFolder, Saver
from negsamp_models.commands.application import application
from negsamp_models.commands.reproduce import what_comes_next
from negsamp_models.datasets import generate_synthetic
from negsamp_models.display.names import describe_run
from negsamp_models.files.writing import write_json
from negsamp_models.processes import RunStoppedError
from negsamp_models.records import EpochRecord
from negsamp_models.reproduction.declarations import load_grid
from negsamp_models.reproduction.order import by_need
from negsamp_models.reproduction.page.own import own_page
from negsamp_models.reproduction.page.pictures import draw
from negsamp_models.reproduction.replaced import replaced_below
from negsamp_models.reproduction.running import make_runs, results_below
from negsamp_models.reproduction.worker import Event, Workplace
from negsamp_models.settings import RunOptions
from negsamp_models.training import Trainer
from negsamp_models.training.watching import Silent
from tests.models.reproduction.made_up import TINY, Told, result_of


def test_missing_runs_are_made_once_and_a_failure_stops_no_other(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY, encoding="utf-8")
    grid = load_grid(str(path))
    workplace = Workplace(tmp_path / "results", device="cpu")
    results = make_runs([grid, grid], workplace, 2, told := Told())
    assert len(results) == 1
    assert len(told.started) == 2
    assert len(told.failures) == 1
    assert "the loss is nan" in told.failures[0]
    assert [event.epoch for event in told.events if isinstance(event, Event)] == [0, 1]
    assert len(told.events) == 2
    file = next((tmp_path / "results").rglob("seed0.json"))
    run = grid.cells[0].choices[0].runs[0]
    assert file == run.file(tmp_path / "results")
    assert results[run.key] == results_below(tmp_path / "results")[run.key]
    make_runs([grid], workplace, 2, again := Told())
    assert again.started == [grid.cells[1].choices[0].runs[0]]


def test_a_result_is_found_again_under_the_full_name(tmp_path: Path) -> None:
    run = load_grid("table1", ["Sports"], seeds=1).cells[0].choices[0].runs[0]
    assert run.dataset == "Sports_and_Outdoors"  # as the data set calls itself in results
    file = run.file(tmp_path)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(result_of(run, test=1.0).to_json()), encoding="utf-8")
    assert results_below(tmp_path).keys() == {run.key}


def test_the_result_of_another_run_is_not_taken_for_that_of_a_run(tmp_path: Path) -> None:
    path, folder = tmp_path / "tiny.toml", tmp_path / "results"
    text = TINY.partition("[rows.wrong]")[0]
    other = text.partition("\n\n")[2].replace("uniform]", "distinct]\nreplacement = false")
    path.write_text(text + other, encoding="utf-8")
    runs = [cell.choices[0].runs[0] for cell in load_grid(str(path)).cells]
    assert [run.slug.partition("-max")[0] for run in runs] == ["uniform", "uniform-replacement0"]
    results = [result_of(run, 1.0) for run in runs]
    assert describe_run(results[1]).startswith("uniform replacement=False max_epochs=2")
    write_json(runs[1].file(folder), results[0].to_json())
    found = make_runs([load_grid(str(path))], Workplace(folder, device="cpu"), 1, told := Told())
    assert found.keys() == {runs[0].key}
    assert [step for step, _ in told.ended] == [runs[1]]
    assert "holds the result of another run: move it away" in told.failures[0]


def test_a_run_keeps_the_law_that_its_grid_asks_for(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    text = TINY.partition("[rows.wrong]")[0].replace(
        "\n[rows", "law = { length = 6, epochs = [0, 1, 9] }\n\n[rows"
    )
    path.write_text(text, encoding="utf-8")
    grid = load_grid(str(path))
    (run,) = by_need([grid], {})
    plain = replace(run, law=None)
    file = run.file(tmp_path)
    assert file == plain.file(tmp_path)
    write_json(file, result_of(plain, 5.0).to_json())
    assert by_need([grid], results_below(tmp_path)) == [run]  # what is there lacks the law
    results = make_runs([grid], Workplace(tmp_path, device="cpu"), 1, Told())
    law = results[run.key].law
    assert law is not None
    assert law["stages"][0]["epochs"] == 0
    assert law["stages"][-1]["epochs"] == results[run.key].best_epoch + 1
    assert len(law["inputs"]) == 6
    names = sorted(each.name for each in file.parent.iterdir())
    assert names == ["replaced1-seed0.json", "seed0.json"]  # what was there is not lost
    assert [each.test["HR@5"] for each in replaced_below(tmp_path)] == [5.0]
    assert results_below(tmp_path) == results
    assert by_need([grid], results) == []
    assert draw(grid, results, tmp_path / "law.png")
    assert "effective number of items (exponential" in own_page([grid], results, {})


def test_a_run_that_is_to_keep_the_law_goes_on_only_with_its_early_weights(tmp_path: Path) -> None:
    path, folder = tmp_path / "tiny.toml", tmp_path / "results"
    text = TINY.partition("[rows.wrong]")[0]
    path.write_text(text.replace("\n[rows", "law = { length = 6, epochs = [0, 1] }\n\n[rows"))
    grid = load_grid(str(path))
    (run,) = by_need([grid], {})
    trainer = Trainer(generate_synthetic(), run.sampler, replace(run.settings, device="cpu"))
    checkpoints = CheckpointFolder(run.file(folder).with_suffix(".checkpoints"), trainer.identity)
    trainer.saver = Saver(checkpoints, RunOptions(), trainer.processes)

    class StopAfterOne(Silent):
        def on_epoch(self, record: EpochRecord, best_epoch: int) -> None:
            trainer.stop.received = signal.SIGTERM

    trainer.watcher = StopAfterOne()
    with pytest.raises(RunStoppedError, match="after epoch 1 of 2; the run is saved"):
        trainer.run()
    results = make_runs([grid], Workplace(folder, device="cpu"), 1, told := Told())
    law = results[run.key].law
    assert law is not None
    assert [stage["epochs"] for stage in law["stages"]][:2] == [0, 1]
    assert [each.text for each in told.notices] == [
        "starts over: its checkpoint lacks the early weights that the law needs"
    ]


def test_the_command_shows_its_plan(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.replace("seeds = 1", "seeds = 2"), encoding="utf-8")
    arguments = ["reproduce", str(path), "--results", str(tmp_path), "--dry-run"]
    shown = CliRunner().invoke(application, arguments)
    assert shown.exit_code == 0
    lines = [line.split() for line in shown.output.splitlines() if "synthetic" in line]
    assert [line[3] for line in lines] == ["0", "0", "1", "1"]
    assert "4 runs left; the time can be estimated after the first" in shown.output
    assert not list(tmp_path.rglob("*.json"))


def test_a_plan_of_nothing_is_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY, encoding="utf-8")
    runs = by_need([load_grid(str(path))], {})
    made = {run.key: result_of(run, 1.0) for run in runs}
    monkeypatch.setattr("negsamp_models.commands.reproduce.results_below", lambda _: made)
    shown = CliRunner().invoke(application, ["reproduce", str(path), "--dry-run"])
    assert shown.output == "0 runs left\n"


def test_a_command_that_is_killed_leaves_no_process_behind_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.replace("max_epochs = 2", "max_epochs = 8"), encoding="utf-8")
    command = [sys.executable, "-m", "negsamp_models", "reproduce", str(path), "--device", "cpu"]
    folder = tmp_path / "results"
    killed = [*command, "--results", str(folder)]
    with subprocess.Popen(killed, stdout=subprocess.PIPE) as process:
        while not list(folder.rglob("*.checkpoints/*.json")):
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
        process.communicate(timeout=60)  # its output ends when all that have it have ended
    positions = sorted(int(each.stem[:6]) for each in folder.rglob("*.checkpoints/*.json"))
    assert 0 < positions[-1] < 8
    assert not list(folder.rglob("seed0.json"))
    shown = subprocess.run([*command, "--results", str(folder)], capture_output=True, check=False)
    assert shown.returncode == 1  # of the row that is wrong
    results = results_below(folder)
    assert [len(result.epochs) for result in results.values()] == [8]
    assert not list(folder.rglob("*.checkpoints"))


def test_missing_data_fail_once_before_any_run(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.replace('"synthetic"', '"Beauty"'), encoding="utf-8")
    arguments = ["reproduce", str(path), "--results", str(tmp_path / "results")]
    shown = CliRunner().invoke(application, [*arguments, "--data-dir", str(tmp_path)])
    assert shown.exit_code == 2
    assert shown.stdout == ""
    assert shown.stderr.count("Beauty.txt is missing") == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("names", "max_epochs", "folder", "command"),
    [
        (["table1"], None, "results", "negsamp report"),
        (None, None, "results", "negsamp report"),
        (["fig5", "own.toml"], None, "other", "negsamp report --results other"),
        (["own.toml"], None, "other", "negsamp report own.toml --results other"),
        (["own.toml"], 2, "other", "negsamp table other"),
        (["table1"], 2, "a trial", "negsamp table 'a trial'"),
    ],
)
def test_what_comes_next_is_a_command_that_shows_the_results(
    names: list[str] | None, max_epochs: int | None, folder: str, command: str
) -> None:
    assert what_comes_next(names, max_epochs, Path(folder)) == command
