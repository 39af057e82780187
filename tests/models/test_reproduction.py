"""Grids of runs, the runs made, and the page that result files give."""

from __future__ import annotations

import json
import pickle
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from negsamp import ConfigError
from negsamp_models.commands import application
from negsamp_models.interruption import RunStoppedError
from negsamp_models.records import EpochRecord, RunResult
from negsamp_models.reproduction.grids import (
    Grid,
    PlannedRun,
    Step,
    grid_names,
    key_of,
    load_grid,
)
from negsamp_models.reproduction.paper import PaperFigure, compare_with, paper_figure
from negsamp_models.reproduction.pictures import draw
from negsamp_models.reproduction.report import figures_of, page
from negsamp_models.reproduction.running import Event, make_runs, results_below
from negsamp_models.s3rec.settings import PretrainingSettings
from negsamp_models.settings import TrainingSettings, TrainingSettingsError

ROOT = Path(__file__).parents[2]
METRICS = ("HR@5", "NDCG@5", "HR@10", "NDCG@10", "HR@20", "NDCG@20")


def result_of(run: PlannedRun, test: float, validation: float = 1.0) -> RunResult:
    """Make up a result whose metrics are all alike."""
    epoch = EpochRecord(0, 1.0, None, None, 4.0, 1.0, 1.0, dict.fromkeys(METRICS, validation))
    return RunResult(
        dataset=run.dataset,
        sampler=dict(run.sampler),
        settings=asdict(run.settings),
        best_epoch=0,
        validation=dict.fromkeys(METRICS, validation),
        test=dict.fromkeys(METRICS, test),
        test_unmasked=dict.fromkeys(METRICS, test + 1),
        epochs=[epoch],
        environment={},
    )


# The paper.


def test_figures_of_the_paper() -> None:
    assert paper_figure("table1/Beauty/SASRec", "HR@5") == PaperFigure(3.84, 0.06)
    assert paper_figure("table1/Beauty/SASRec_pop", "HR@5") == PaperFigure(4.08, None)
    assert paper_figure("table3/Beauty/GenNi", "HR@5", 7) == PaperFigure(6.08)
    assert paper_figure("table3/Beauty/GenNi", "HR@5", 8) is None
    assert paper_figure("table2/Beauty/m 20", "HR@5") is None  # cannot be read there
    assert paper_figure("table1/Books/SASRec", "HR@5") is None


@pytest.mark.parametrize(
    ("figure", "mean", "deviation", "verdict"),
    [
        (PaperFigure(4.0, 0.1), 4.19, 0.0, "inside"),
        (PaperFigure(4.0, 0.1), 4.21, 0.0, "above"),
        (PaperFigure(4.0, 0.1), 3.79, 0.0, "below"),
        (PaperFigure(4.0, 0.3), 4.99, 0.4, "inside"),
        (PaperFigure(4.0, 0.3), 5.01, 0.4, "above"),
        (PaperFigure(4.0), 3.77, 0.0, "inside"),
        (PaperFigure(4.0), 3.75, 0.0, "below"),
    ],
)
def test_the_range_is_two_deviations(
    figure: PaperFigure, mean: float, deviation: float, verdict: str
) -> None:
    assert compare_with(figure, mean, deviation) == verdict


# Grids.


@pytest.mark.parametrize("name", grid_names())
def test_runs_have_a_file_each(name: str) -> None:
    runs = [run for cell in load_grid(name).cells for choice in cell.choices for run in choice.runs]
    files = {run.file(Path()): run.key for run in runs}
    assert len(files) == len({run.key for run in runs})
    assert all(files[run.file(Path())] == run.key for run in runs)


def test_rows_of_the_paper_are_rows_of_the_grids() -> None:
    for name in ("table1", "table2", "table3", "table5"):
        for cell in load_grid(name).cells:
            figures = figures_of(load_grid(name), cell, {})[1].values()
            assert any(figure.theirs for figure in figures), (name, cell.dataset, cell.row)


def test_names_say_what_differs_from_the_defaults() -> None:
    grid = load_grid("table3", ["Beauty"], seeds=1)
    assert [str(cell.choices[0].runs[0].file(Path())) for cell in grid.cells[-2:]] == [
        "beauty/genni-alpha2.2-beta1-k7-bpr/seed0.json",
        "beauty/genni-alpha2.2-beta1-k8-bpr/seed0.json",
    ]
    driven = load_grid("fig8", ["Beauty"]).cells[-1].choices[0].runs[0]
    assert driven.slug == "genni-alpha-lossdriven-initial6-beta1"


def test_validation_chooses_before_other_seeds_are_run() -> None:
    grid = load_grid("table1", ["Beauty"], seeds=2)
    cell = next(cell for cell in grid.cells if cell.row == "SASRec_pop")
    first = cell.missing({})
    assert [run.sampler["gamma"] for run in first] == [0.25, 0.5, 0.75, 1.0, 1.25, 1.5]
    assert {run.settings.seed for run in first} == {0}
    results = {
        run.key: result_of(run, test=9 - place, validation=-abs(place - 2))
        for place, run in enumerate(first)
    }
    del results[first[5].key]
    assert cell.missing(results) == [first[5]]
    assert figures_of(grid, cell, results)[0] is None
    results[first[5].key] = result_of(first[5], test=99, validation=-9)
    assert [(r.sampler["gamma"], r.settings.seed) for r in cell.missing(results)] == [(0.75, 1)]
    choice, figures = figures_of(grid, cell, results)
    assert choice is not None
    assert choice.label == "gamma = 0.75"
    assert figures["HR@5"].mean == 7


def test_runs_are_the_same_whatever_wrote_their_numbers() -> None:
    settings = asdict(TrainingSettings())
    one = key_of("Beauty", {"sampler": "genni", "alpha": 2, "beta": 1.0}, settings)
    other = {"sampler": "genni", "num_negatives": 1, "beta": 1, "alpha": 2.0}
    assert one == key_of("Beauty", other, settings | {"device": "cuda"})
    assert one != key_of("Beauty", other, settings | {"seed": 1})


@pytest.mark.parametrize(
    ("name", "datasets", "message"),
    [
        ("tabel1", None, "no table or figure 'tabel1'; known: table1, .*mean 'table1'"),
        ("table3", ["Yelp"], "table3 is on Beauty; got Yelp"),
    ],
)
def test_grids_refuse(name: str, datasets: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_grid(name, datasets)


def test_files_that_are_no_grid_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("title = ", encoding="utf-8")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_grid(str(path))
    path.write_text("title = 'x'\nseeds = 1", encoding="utf-8")
    with pytest.raises(ConfigError, match="lacks datasets, metrics, rows"):
        load_grid(str(path))


# Running.

TINY = """
title = "Tiny"
datasets = ["synthetic"]
seeds = 1
metrics = ["HR@5"]

[rows.uniform]
sampler = "uniform"
settings = { max_epochs = 2, hidden_size = 8, num_layers = 1 }

[rows.wrong]
sampler = "uniform"
settings = { max_epochs = 2, hidden_size = 8, num_heads = 3 }
"""


def test_missing_runs_are_made_once_and_a_failure_stops_no_other(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY, encoding="utf-8")
    grid = load_grid(str(path))
    started: list[str] = []
    ended: list[tuple[str, str]] = []
    events: list[Event] = []

    def make() -> dict[str, RunResult]:
        return make_runs(
            [grid, grid],
            tmp_path / "results",
            data_dir=None,
            jobs=2,
            device="cpu",
            on_event=events.append,
            on_start=lambda run: started.append(run.slug),
            on_end=lambda run, error: ended.append((run.slug, str(error))),
        )

    results = make()
    assert len(results) == 1
    assert len(started) == 2
    failures = [message for _, message in ended if message != "None"]
    assert len(failures) == 1
    assert "num_heads must divide hidden_size" in failures[0]
    assert [event.epoch for event in events] == [0, 1]
    file = next((tmp_path / "results").rglob("seed0.json"))
    run = grid.cells[0].choices[0].runs[0]
    assert file == run.file(tmp_path / "results")
    assert results[run.key] == results_below(tmp_path / "results")[run.key]
    started.clear()
    make()
    assert started == [grid.cells[1].choices[0].runs[0].slug]


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
    random = np.random.default_rng(5)
    lists = [[user, *random.permutation(15)[:8] + 1] for user in range(1, 31)]
    lines = [" ".join(map(str, each)) for each in lists]
    (tmp_path / "Tiny.txt").write_text("\n".join(lines) + "\n")
    attributes = {str(item): [item % 4 + 1, 5] for item in range(1, 16)}
    (tmp_path / "Tiny_item2attributes.json").write_text(json.dumps(attributes))
    (tmp_path / "tiny.toml").write_text(TINY_S3REC, encoding="utf-8")
    return load_grid(str(tmp_path / "tiny.toml"))


def make_s3rec(grid: Grid, data_dir: Path) -> tuple[list[str], list[str]]:
    """Make the runs, two at once; return what ended in this order, and the failures."""
    ended: list[str] = []
    failures: list[str] = []

    def on_end(step: Step, error: BaseException | None) -> None:
        ended.append(step.slug.split("-")[0])
        failures.extend([] if error is None else [str(error)])

    folder = data_dir / "results"
    make_runs([grid], folder, data_dir, 2, "cpu", lambda _: None, lambda _: None, on_end)
    return ended, failures


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
    other.make(tmp_path / "results", tmp_path, "cpu", lambda _: None)
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
    assert "Toys_and_Games pretraining seed 0 150 2" in words
    assert "Toys_and_Games pretraining seed 1 150 2" in words


def test_a_result_is_found_again_under_the_full_name(tmp_path: Path) -> None:
    run = load_grid("table1", ["Sports"], seeds=1).cells[0].choices[0].runs[0]
    assert run.dataset == "Sports_and_Outdoors"  # as the data set calls itself in results
    file = run.file(tmp_path)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(result_of(run, test=1.0).to_json()), encoding="utf-8")
    assert results_below(tmp_path).keys() == {run.key}


@pytest.mark.parametrize(
    "error",
    [RunStoppedError(15, "stopped"), TrainingSettingsError("device", "x", "cpu")],
    ids=["stopped", "setting"],
)
def test_errors_travel_between_processes(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(again), str(again), again.args) == (type(error), str(error), error.args)


# The page.


def small_grid() -> Grid:
    return load_grid("table1", ["Beauty", "Yelp"], seeds=2)


def test_the_page_says_first_what_does_not_come_out() -> None:
    grid = small_grid()
    runs = {(cell.dataset, cell.row): cell.choices[0].runs for cell in grid.cells if cell.choices}
    sasrec, genni = runs["Beauty", "SASRec"], runs["Beauty", "GenNi_SA"]
    yelp = runs["Yelp", "SASRec"]
    made = [(sasrec[0], 3.8), (sasrec[1], 3.9), (genni[0], 2.0), (yelp[0], 1.7)]
    text = page([grid], {run.key: result_of(run, test) for run, test in made}, {})
    summary, _, rest = text.partition("## Table 1")
    assert "- below: Table 1, Beauty, GenNi_SA, HR@5: 2.00 (1 seeds), paper 6.30" in summary
    assert "- above: Table 1, Beauty, SASRec, NDCG@5: 3.85 (2 seeds), paper 2.49" in summary
    assert summary.index("- below") < summary.index("- above")
    assert "Beauty, SASRec, HR@5" not in summary
    assert "| SASRec | 3.85 ± 0.07 (3.84) |" in rest
    assert "| GenNi_SA | 2.00 (6.30) ▼ |" in rest
    assert "| SASRec_pop | - (4.08) |" in rest
    assert "| Yelp, seen items ranked |" in rest
    assert "| SASRec | 2.70 (1.72) ▲ |" in rest


def test_pictures_of_what_there_is(tmp_path: Path) -> None:
    grid = load_grid("fig5", ["Beauty"])
    assert not draw(grid, {}, tmp_path / "none.png")
    assert not list(tmp_path.iterdir())
    results = {
        cell.choices[0].runs[0].key: result_of(cell.choices[0].runs[0], test=place)
        for place, cell in enumerate(grid.cells[:4])
    }
    assert draw(grid, results, tmp_path / "sweep.png")
    curves = load_grid("fig4")
    runs = [cell.choices[0].runs[0] for cell in curves.cells[:2]]
    one, both = ({run.key: result_of(run, 1.0) for run in runs[:n]} for n in (1, 2))
    assert not draw(curves, one, tmp_path / "curves.png")
    assert draw(curves, both, tmp_path / "curves.png")
    for name in ("sweep.png", "curves.png"):
        assert (tmp_path / name).read_bytes()[:4] == b"\x89PNG"


# What is committed.


def test_result_files_are_where_their_content_says() -> None:
    folder = ROOT / "results"
    found = results_below(folder)
    assert found
    for result in found.values():
        settings = TrainingSettings(**result.settings)
        run = PlannedRun(result.dataset, result.sampler, replace(settings, device="auto"))
        content = json.loads(run.file(folder).read_text(encoding="utf-8"))
        assert RunResult.from_json(content) == result


def test_the_page_is_what_the_result_files_give() -> None:
    folder = ROOT / "docs" / "reproduction"
    grids = [load_grid(name) for name in grid_names()]
    pictures = {path.stem: path.name for path in folder.glob("*.png")}
    text = page(grids, results_below(ROOT / "results"), pictures)
    assert text == (folder / "index.md").read_text(encoding="utf-8")
