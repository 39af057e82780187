"""Runs of grids that meet trouble: killed processes, bad folders, bad files, other commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from negsamp import ConfigError, InvalidInputError
from negsamp_models.commands import application
from negsamp_models.datasets import DatasetError
from negsamp_models.reading import read_results
from negsamp_models.reproduction.claimed import ClaimedError, claimed
from negsamp_models.reproduction.declarations import load_grid, load_grids
from negsamp_models.reproduction.running import (
    Event,
    Notice,
    Outcome,
    ProcessDiedError,
    make_runs,
    results_below,
)
from negsamp_models.results import write_json
from tests.models.test_reproduction import TINY, result_of

TWO = TINY.replace("num_heads = 3", "num_layers = 1").replace("max_epochs = 2", "max_epochs = 3")


def grid_file(folder: Path, text: str = TWO) -> Path:
    path = folder / "tiny.toml"
    path.write_text(text.replace("hidden_size = 8, num_layers = 1 }", "hidden_size = 8 }", 1))
    return path


def nothing(*_: object) -> None:
    """Watch."""


def test_a_killed_process_fails_its_run_alone(tmp_path: Path) -> None:
    grid = load_grid(str(grid_file(tmp_path)))
    killed: list[int] = []
    ended: list[tuple[str, Outcome]] = []

    def kill_the_first(event: Event | Notice) -> None:
        if not killed:
            first = next(run for run in ended_or_not if run.key == event.run)
            claim = first.file(tmp_path / "results").with_name(".seed0.claim")
            killed.append(int(claim.read_text()))
            os.kill(killed[0], signal.SIGKILL)

    ended_or_not = [cell.choices[0].runs[0] for cell in grid.cells]
    results = make_runs(
        [grid],
        tmp_path / "results",
        None,
        2,
        "cpu",
        kill_the_first,
        nothing,
        lambda run, outcome: ended.append((run.slug, outcome)),
    )
    died = [outcome for _, outcome in ended if isinstance(outcome, ProcessDiedError)]
    assert len(died) == 1
    assert "was killed, as happens when memory runs out" in str(died[0])
    assert len(results) == 1
    again = make_runs([grid], tmp_path / "results", None, 1, "cpu", nothing, nothing, nothing)
    assert len(again) == 2


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_folder_that_cannot_be_written_to_is_refused_before_any_run(
    tmp_path: Path, below: str
) -> None:
    grid = load_grid(str(grid_file(tmp_path)))
    (tmp_path / "file").write_text("no folder")
    folder = tmp_path / "file" / below
    started: list[Any] = []
    with pytest.raises(
        InvalidInputError, match=r"results cannot be written to .*file.*: name|; na"
    ):
        make_runs([grid], folder, None, 1, "cpu", nothing, started.append, nothing)
    assert not started


def test_what_a_run_has_to_say_is_passed_on(tmp_path: Path) -> None:
    grid = load_grid(str(grid_file(tmp_path)))
    run = grid.cells[0].choices[0].runs[0]
    broken = run.file(tmp_path / "results").with_suffix(".checkpoints")
    broken.parent.mkdir(parents=True)
    broken.write_text("a file, where checkpoints would go")
    heard: list[Event | Notice] = []
    make_runs([grid], tmp_path / "results", None, 1, "cpu", heard.append, nothing, nothing)
    notices = [each for each in heard if isinstance(each, Notice)]
    assert [each.run for each in notices] == [run.key]
    assert "no checkpoint was written" in notices[0].text


def test_a_run_that_another_command_makes_is_left_to_it(tmp_path: Path) -> None:
    grid = load_grid(str(grid_file(tmp_path)))
    runs = [cell.choices[0].runs[0] for cell in grid.cells]
    folder, ended = tmp_path / "results", list[tuple[str, Outcome]]()
    with (
        claimed(runs[0].file(folder)),
        pytest.raises(ClaimedError, match=f"process {os.getpid()} is making it"),
        claimed(runs[0].file(folder)),
    ):
        pass
    hold = f"""
import sys, pathlib
from negsamp_models.reproduction.claimed import claimed
with claimed(pathlib.Path({str(runs[0].file(folder))!r})):
    print("held", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        results = make_runs(
            [grid],
            folder,
            None,
            1,
            "cpu",
            nothing,
            nothing,
            lambda run, outcome: ended.append((run.key, outcome)),
        )
        other.kill()
    assert results.keys() == {runs[1].key}
    assert isinstance(dict(ended)[runs[0].key], ClaimedError)
    with claimed(runs[0].file(folder)):  # what a killed process held is free
        pass


def test_files_are_read_in_one_way_and_named_where_they_are_wrong(tmp_path: Path) -> None:
    runs = [cell.choices[0].runs[0] for cell in load_grid("table1", ["Beauty"], 1).cells]
    file = runs[0].file(tmp_path)
    write_json(file, result_of(runs[0], 1.0).to_json())
    for name in ("seedlings.json", "seed0_backup.json", "replaced-seed0.json"):
        (file.parent / name).write_text("{}")
    assert results_below(tmp_path).keys() == {runs[0].key}
    assert len(read_results([tmp_path])) == 1
    copy = tmp_path / "copy" / "seed0.json"
    write_json(copy, result_of(runs[0], 2.0).to_json())
    with pytest.raises(DatasetError) as caught:
        results_below(tmp_path)
    assert str(file) in str(caught.value)
    assert str(copy) in str(caught.value)
    for text in ('{"dataset": ', "[1]", json.dumps(result_of(runs[1], 1.0).to_json())[:-9]):
        copy.write_text(text)
        with pytest.raises(DatasetError, match=r"copy/seed0.json is not the result of a run"):
            results_below(tmp_path)
    strange = result_of(runs[1], 1.0).to_json()
    strange["epochs"][0]["weather"] = "fine"
    copy.write_text(json.dumps(strange))
    with pytest.raises(DatasetError, match=r"copy/seed0.json is not the result .*weather"):
        results_below(tmp_path)


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


def test_a_misspelt_setting_of_a_grid_is_named(tmp_path: Path) -> None:
    path = grid_file(tmp_path, TINY.replace("hidden_size", "hiden_size"))
    with pytest.raises(ConfigError, match=r"unknown setting 'hiden_size'; .*mean 'hidden_size'\?"):
        load_grid(str(path))
