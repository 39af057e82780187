"""Runs of grids that meet trouble: killed processes, bad folders, bad files, other commands."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from negsamp import ConfigError, InvalidInputError
from negsamp_models.commands.application import application
from negsamp_models.files.claimed import ClaimedError, claimed
from negsamp_models.files.writing import write_json
from negsamp_models.records import ResultError, RunResult
from negsamp_models.records.reading import read_results
from negsamp_models.reproduction.declarations import load_grid, load_grids
from negsamp_models.reproduction.planned import PlannedRun
from negsamp_models.reproduction.progress import Display
from negsamp_models.reproduction.running import ProcessDiedError, make_runs, results_below
from negsamp_models.reproduction.worker import Event, Notice, Workplace
from tests.models.reproduction.made_up import TINY, Told, result_of

TWO = TINY.replace("learning_rate = 1e30", "num_layers = 1").replace(
    "max_epochs = 2", "max_epochs = 3"
)


def grid_file(folder: Path, text: str = TWO) -> Path:
    path = folder / "tiny.toml"
    path.write_text(text.replace("hidden_size = 8, num_layers = 1 }", "hidden_size = 8 }", 1))
    return path


def test_a_killed_process_fails_its_run_alone(tmp_path: Path) -> None:
    grid = load_grid(str(grid_file(tmp_path)))
    workplace = Workplace(tmp_path / "results", device="cpu")
    runs = {run.key: run for cell in grid.cells for run in cell.runs}

    class KillsTheFirst(Told):
        def on_event(self, event: Event | Notice) -> None:
            if not self.events:
                claim = runs[event.run].file(workplace.results).with_name(".seed0.claim")
                os.kill(int(claim.read_text()), signal.SIGKILL)
            super().on_event(event)

    results = make_runs([grid], workplace, 2, told := KillsTheFirst())
    died = [outcome for _, outcome in told.ended if isinstance(outcome, ProcessDiedError)]
    assert len(died) == 1
    assert "was killed, often because memory ran out" in str(died[0])
    assert len(results) == 1
    assert len(make_runs([grid], workplace, 1, Told())) == 2


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_folder_that_cannot_be_written_to_is_refused_before_any_run(
    tmp_path: Path, below: str
) -> None:
    grid = load_grid(str(grid_file(tmp_path)))
    (tmp_path / "file").write_text("no folder")
    folder = tmp_path / "file" / below
    told = Told()
    with pytest.raises(InvalidInputError, match=r"written to .*/file.*: .*; name another folder"):
        make_runs([grid], Workplace(folder, device="cpu"), 1, told)
    assert not told.started
    arguments = ["reproduce", str(tmp_path / "tiny.toml"), "--results", str(folder)]
    shown = CliRunner().invoke(application, arguments)
    assert shown.exit_code == 2
    assert f"results cannot be written to {folder}" in " ".join(shown.stderr.split())


def test_what_a_run_has_to_say_is_passed_on(tmp_path: Path) -> None:
    grid = load_grid(str(grid_file(tmp_path)))
    run = grid.cells[0].choices[0].runs[0]
    broken = run.file(tmp_path / "results").with_suffix(".checkpoints")
    broken.parent.mkdir(parents=True)
    broken.write_text("a file, where checkpoints would go")
    make_runs([grid], Workplace(tmp_path / "results", device="cpu"), 1, told := Told())
    assert [each.run for each in told.notices] == [run.key]
    assert "cannot write a checkpoint" in told.notices[0].text


def test_what_the_last_run_says_as_it_ends_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its result and its last words travel apart; the result may come first."""

    class Pool:
        def __init__(self, size: int, context: Any, begin: Any, arguments: tuple[Any]) -> None:
            (self.events,) = arguments

        def submit(self, work: Any, step: PlannedRun, workplace: Workplace) -> Future[RunResult]:
            self.step, future = step, Future[RunResult]()
            future.set_result(result_of(step, 1.0))
            return future

        def shutdown(self, wait: bool = True) -> None:
            if wait:
                self.events.put(Notice(self.step.key, "goodbye"))
                while self.events.empty():
                    time.sleep(0.01)

    monkeypatch.setattr("negsamp_models.reproduction.running.ProcessPoolExecutor", Pool)
    grid = load_grid(str(grid_file(tmp_path, TINY.split("[rows.wrong]")[0])))
    make_runs([grid], Workplace(tmp_path / "results"), 1, told := Told())
    assert [each.text for each in told.notices] == ["goodbye"]


def test_what_comes_after_the_end_of_a_run_is_passed_over(tmp_path: Path) -> None:
    grid = load_grid(str(grid_file(tmp_path)))
    run = grid.cells[0].choices[0].runs[0]
    with Display(Console(quiet=True), [grid], {}, tmp_path, jobs=1) as display:
        display.on_start(run)
        display.on_end(run, ValueError("diverged"))
        display.on_event(Event(run.key, 0, 0, 1.0))
    assert display.failed == 1


def test_a_run_that_another_command_makes_is_left_to_it(tmp_path: Path) -> None:
    grid = load_grid(str(grid_file(tmp_path)))
    runs = [cell.choices[0].runs[0] for cell in grid.cells]
    folder, told = tmp_path / "results", Told()
    with (
        claimed(runs[0].file(folder)),
        pytest.raises(ClaimedError, match=f"process {os.getpid()} is making this run"),
        claimed(runs[0].file(folder)),
    ):
        pass
    hold = f"""
import sys, pathlib
from negsamp_models.files.claimed import claimed
with claimed(pathlib.Path({str(runs[0].file(folder))!r})):
    print("held", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        results = make_runs([grid], Workplace(folder, device="cpu"), 1, told)
        command = ["reproduce", str(grid_file(tmp_path)), "--results", str(folder)]
        shown = CliRunner().invoke(application, [*command, "--device", "cpu"])
        other.kill()
    assert shown.exit_code == 0
    assert "Done, except for runs of other commands: 1 run left" in shown.output
    assert results.keys() == {runs[1].key}
    outcomes = {step.key: outcome for step, outcome in told.ended}
    assert isinstance(outcomes[runs[0].key], ClaimedError)
    with claimed(runs[0].file(folder)):  # what a killed process held is free
        pass


def test_where_files_cannot_be_locked_runs_are_made_without_a_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    asked: list[int] = []

    def refuse(_: object, operation: int) -> None:
        asked.append(operation)
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with claimed(tmp_path / "seed0.json"):
        assert asked == [fcntl.LOCK_EX | fcntl.LOCK_NB]


def test_files_are_read_in_one_way_and_named_where_they_are_wrong(tmp_path: Path) -> None:
    runs = [cell.choices[0].runs[0] for cell in load_grid("table1", ["Beauty"], 1).cells]
    file = runs[0].file(tmp_path)
    write_json(file, result_of(runs[0], 1.0).to_json())
    for name in ("seedlings.json", "seed0_backup.json", "replaced1-seed0.json"):
        (file.parent / name).write_text("{}")
    assert results_below(tmp_path).keys() == {runs[0].key}
    assert len(read_results([tmp_path])) == 1
    copy = tmp_path / "copy" / "seed0.json"
    write_json(copy, result_of(runs[0], 2.0).to_json())
    with pytest.raises(ResultError) as caught:
        results_below(tmp_path)
    assert str(file) in str(caught.value)
    assert str(copy) in str(caught.value)
    for text in ('{"dataset": ', "[1]", json.dumps(result_of(runs[1], 1.0).to_json())[:-9]):
        copy.write_text(text)
        with pytest.raises(ResultError, match=r"copy/seed0.json is not the result of a run"):
            results_below(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content["epochs"][0].update(weather="fine"), "'weather'"),
        (lambda content: content["settings"].update(weather="fine"), "'weather'"),
        (lambda content: content["settings"].update(dropout=2), "dropout must be in"),
        (lambda content: content["settings"].pop("loss"), "the settings lack loss"),
        (lambda content: content["epochs"].clear(), "there is no epoch"),
    ],
)
def test_a_result_of_something_else_is_named_with_what_is_wrong(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    run = load_grid("table1", ["Beauty"], 1).cells[0].choices[0].runs[0]
    content = result_of(run, 1.0).to_json()
    change(content)
    write_json(tmp_path / "seed0.json", content)
    for command, remedy in (
        (["table", str(tmp_path)], "leave it out, or name the result.json of a run"),
        (["reproduce", "--results", str(tmp_path)], "move it away and make the run again"),
    ):
        shown = CliRunner().invoke(application, command)
        assert shown.exit_code == 2
        assert f"{tmp_path}/seed0.json is not the result of a run: " in shown.stderr
        assert message in shown.stderr
        assert shown.stderr.endswith(f"; {remedy}\n")


def test_a_table_counts_no_run_twice(tmp_path: Path) -> None:
    run = load_grid("table1", ["Beauty"], 1).cells[0].choices[0].runs[0]
    files = [tmp_path / name / "seed0.json" for name in ("one", "other")]
    write_json(files[0], result_of(run, 1.0).to_json())
    assert len(read_results([tmp_path, *files[:1]])) == 1  # a file that is named twice is one
    write_json(files[1], result_of(run, 2.0).to_json())
    shown = CliRunner().invoke(application, ["table", *map(str, files)])
    assert shown.exit_code == 2
    assert f"{files[0]} and {files[1]} are results of the same run: remove" in shown.stderr
    for file, digest in zip(files, "ab", strict=True):
        write_json(file, json.loads(file.read_text()) | {"data_sha256": digest})
    shown = CliRunner().invoke(application, ["table", *map(str, files)])
    assert "of the same run on different data, both called Beauty:" in shown.stderr


def test_a_table_of_nothing_names_the_folder(tmp_path: Path) -> None:
    shown = CliRunner().invoke(application, ["table", str(tmp_path)])
    assert shown.exit_code == 2
    assert f"no result.json or seedN.json, N a number, in {tmp_path};" in shown.stderr


def test_a_report_of_nothing_changes_nothing(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.md").write_text("a page")
    (page / "fig4.png").write_bytes(b"a picture")
    arguments = ["report", "--results", str(tmp_path / "typo"), "-o", str(page)]
    shown = CliRunner().invoke(application, arguments)
    assert shown.exit_code == 2
    assert "holds no result of a run" in " ".join(shown.stderr.split())
    assert sorted(each.name for each in page.iterdir()) == ["fig4.png", "index.md"]
    assert (page / "index.md").read_text() == "a page"
    run = load_grid("table1", ["Beauty"], 1).cells[0].choices[0].runs[0]
    write_json(tmp_path / "typo" / "seed0.json", result_of(run, 1.0).to_json())
    (tmp_path / "typo" / "replaced1-seed0.json").write_text("{")
    shown = CliRunner().invoke(application, arguments)
    assert shown.exit_code == 2
    assert "replaced1-seed0.json is not the result of a run" in shown.stderr
    assert sorted(each.name for each in page.iterdir()) == ["fig4.png", "index.md"]


def test_the_folder_of_a_report_is_no_markup(tmp_path: Path) -> None:
    run = load_grid("table1", ["Beauty"], 1).cells[0].choices[0].runs[0]
    write_json(run.file(tmp_path), result_of(run, 1.0).to_json())
    arguments = ["report", "--results", str(tmp_path), "-o", str(tmp_path / "x[" / "]7")]
    shown = CliRunner().invoke(application, arguments, env={"COLUMNS": "300"})
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith("1 run; written: ")
    assert "x[/]7/index.md, 0 pictures" in shown.output
    assert (tmp_path / "x[" / "]7" / "index.md").exists()


def test_a_report_of_runs_of_no_table_changes_nothing(tmp_path: Path) -> None:
    run = load_grid("table1", ["Beauty"], 1).cells[0].choices[0].runs[0]
    for number, words in ((1, "the one run in X belongs to no"), (2, "none of the 2 runs in X")):
        other = replace(run, settings=replace(run.settings, hidden_size=7 + number, num_heads=1))
        write_json(tmp_path / "runs" / f"{number}" / "seed0.json", result_of(other, 1.0).to_json())
        arguments = ["report", "--results", str(tmp_path / "runs"), "-o", str(tmp_path / "page")]
        shown = CliRunner().invoke(application, arguments)
        assert shown.exit_code == 2
        told = shown.stderr.replace(str(tmp_path / "runs"), "X")
        assert told.startswith(f"error: {words}")
        assert told.endswith(
            "table of the paper; make some with: negsamp reproduce table1 --results X\n"
        )
        assert not (tmp_path / "page").exists()


def test_what_a_run_warns_of_is_passed_on(tmp_path: Path) -> None:
    text = TINY.split("[rows.wrong]")[0].replace('"uniform"', '"genni"\nbeta = 0.00002')
    grid = load_grid(str(grid_file(tmp_path, text)))
    make_runs([grid], Workplace(tmp_path / "results", device="cpu"), 1, told := Told())
    (notice,) = told.notices
    assert notice.text.startswith("beta = 2e-05 pre-selects 1 of 1,500 items")


def test_data_sets_are_asked_of_all_grids() -> None:
    names = [grid.name for grid in load_grids(None, ["Beauty"])]
    assert "table1" in names
    assert "fig9" not in names  # which is on Sports
    assert [grid.name for grid in load_grids(["fig4", "table3", "fig4"])] == ["fig4", "table3"]
    for wrong, hint in (("beauty", "; did you mean 'Beauty'?"), ("Books", "")):
        with pytest.raises(ConfigError) as caught:
            load_grids(["table1"], ["Toys", wrong])
        assert str(caught.value).startswith(f"no table or figure is on '{wrong}'; known: Beauty,")
        assert str(caught.value).endswith(hint or "Yelp")
    with pytest.raises(ConfigError, match="fig9 is on Sports; got Beauty"):
        load_grids(["fig9"], ["Beauty"])


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("hidden_size", "hiden_size", r"unknown setting 'hiden_size'; .*mean 'hidden_size'\?"),
        ("num_layers", "seed", "unknown setting 'seed'; known: batch_size,"),  # seeds = N says it
        ("seeds = 1", "seeds = 1\nsweeep = {}", "unknown key of a grid .*mean 'sweep'"),
        ("seeds = 1", "seeds = 1\nlaw = { lenght = 6 }", "unknown key of law .*mean 'length'"),
    ],
)
def test_a_misspelt_name_in_a_grid_is_named(
    tmp_path: Path, right: str, wrong: str, message: str
) -> None:
    path = grid_file(tmp_path, TINY.replace(right, wrong))
    with pytest.raises(ConfigError, match=message):
        load_grid(str(path))


def test_a_claim_that_was_taken_away_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its holder left between our opening the file and our locking it."""
    fcntl = pytest.importorskip("fcntl")
    file, beside = tmp_path / "seed0.json", tmp_path / ".seed0.claim"
    lock, late = fcntl.flock, [True]

    def lock_late(handle: Any, how: int) -> None:
        if late.pop() if late else False:
            beside.unlink()
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    with claimed(file):
        assert beside.read_text() == str(os.getpid())
    assert not beside.exists()


def test_a_setting_of_a_row_is_no_option(tmp_path: Path) -> None:
    """The command has an option of that name too, but the setting comes from the file."""
    grid = grid_file(tmp_path, TWO.replace("max_epochs = 3", "max_epochs = 0"))
    refused = CliRunner().invoke(application, ["reproduce", str(grid), "--dry-run"])
    assert refused.exit_code == 2
    assert "tiny.toml: max_epochs must be an integer >= 1; got 0" in " ".join(
        refused.stderr.split()
    )
