"""Grids of runs, the runs made, and the page that result files give."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from negsamp import ConfigError
from negsamp_models.commands import application
from negsamp_models.records import EpochRecord, RunResult
from negsamp_models.reproduction.claims import claims, compared
from negsamp_models.reproduction.declarations import grid_names, load_grid
from negsamp_models.reproduction.figures import figures_of
from negsamp_models.reproduction.grids import Contrast, Grid
from negsamp_models.reproduction.noise import LEAST, SeedNoise
from negsamp_models.reproduction.order import Outlook, by_need, expected_seconds
from negsamp_models.reproduction.paper import PaperFigure, apart, paper_figure
from negsamp_models.reproduction.pictures import draw
from negsamp_models.reproduction.planned import PlannedRun, key_of
from negsamp_models.reproduction.replaced import replaced_below
from negsamp_models.reproduction.report import page
from negsamp_models.reproduction.running import Event, Notice, Outcome, make_runs, results_below
from negsamp_models.results import write_json
from negsamp_models.settings import TrainingSettings
from negsamp_models.tables import summarise

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
        environment={"device": "cpu (test)", "threads": 2, "torch": "2"},
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
    ("figure", "mean", "error", "verdict"),
    [
        (PaperFigure(4.0, 0.2), 4.19, 0.0, "inside"),  # the deviation of four seeds, halved
        (PaperFigure(4.0, 0.2), 4.21, 0.0, "above"),
        (PaperFigure(4.0, 0.2), 3.79, 0.0, "below"),
        (PaperFigure(4.0, 0.6), 4.99, 0.4, "inside"),
        (PaperFigure(4.0, 0.6), 5.01, 0.4, "above"),
        (PaperFigure(4.0), 3.89, 0.0, "inside"),
        (PaperFigure(4.0), 3.87, 0.0, "below"),
    ],
)
def test_the_range_is_two_standard_errors(
    figure: PaperFigure, mean: float, error: float, verdict: str
) -> None:
    assert apart(mean, figure.mean, error, figure.error) == verdict


def test_the_noise_of_seeds_is_learnt_from_all_that_have_several() -> None:
    runs = [cell.choices[0].runs for cell in load_grid("table2", ["Beauty"], seeds=3).cells]
    made = [(runs[0][0], 9.0), (runs[0][1], 11.0), (runs[1][0], 99.0), (runs[2][2], 5.0)]
    noise = SeedNoise.of(result_of(run, test) for run, test in made)
    assert noise.relative["HR@5"] == pytest.approx(0.02**0.5)  # two tenths' squares, one freedom
    assert noise.error("HR@5", 50.0, 4) == pytest.approx(50 * 0.02**0.5 / 2)
    agreeing = [(runs[0][0], 10.0), (runs[0][1], 10.0), (runs[0][2], 10.0)]
    several = SeedNoise.of(result_of(run, test) for run, test in made[:2] + agreeing[2:])
    assert several.relative["HR@5"] == pytest.approx((0.02 / 2) ** 0.5)  # of 9, 11 and 10
    lucky = SeedNoise.of(result_of(run, test) for run, test in agreeing)
    assert lucky.error("HR@5", 10.0, 1) == pytest.approx(10 * LEAST)
    assert SeedNoise().error("validation HR@5", 10.0, 1) == pytest.approx(10 * LEAST)


@given(
    one=st.floats(1, 9),
    other=st.floats(1, 9),
    seeds=st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
def test_which_row_comes_first_changes_the_word_alone(
    one: float, other: float, seeds: tuple[int, int]
) -> None:
    mirrored = {"inside": "inside", "above": "below", "below": "above"}
    grid = load_grid("table1", ["Beauty"], seeds=2)
    runs = {cell.row: cell.choices[0].runs for cell in grid.cells}
    rows = ("GenNi_SA", "SASRec")
    results = {
        run.key: result_of(run, value)
        for row, value, number in zip(rows, (one, other), seeds, strict=True)
        for run in runs[row][:number]
    }
    verdicts = [
        next(compared(replace(grid, contrasts=(Contrast(*each),)), results)).verdict
        for each in (rows, rows[::-1])
    ]
    assert mirrored[str(verdicts[0])] == verdicts[1]


# Grids.


@pytest.mark.parametrize("name", grid_names())
def test_runs_have_a_file_each(name: str) -> None:
    runs = [run for cell in load_grid(name).cells for choice in cell.choices for run in choice.runs]
    files = {run.file(Path()): run.key for run in runs}
    assert len(files) == len({run.key for run in runs})
    assert all(files[run.file(Path())] == run.key for run in runs)


def test_rows_of_the_paper_are_rows_of_the_grids() -> None:
    for name in ("table1", "table2", "table3", "table5", "seen_items"):
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


def test_a_shorter_pretraining_makes_another_run_that_is_known_by_its_result() -> None:
    cells = load_grid("pretraining_length", ["Beauty"]).cells
    runs = {cell.row: cell.choices[0].runs[0] for cell in cells}
    short, whole = runs["S3-Rec, 100 epochs"], runs["S3-Rec, 150 epochs"]
    assert whole.key == load_grid("table1", ["Beauty"]).cells[3].choices[0].runs[0].key
    assert short.key != whole.key
    assert short.slug == f"{whole.slug}-pretraining100"
    for run in (short, whole):
        begun = run.pretraining
        assert begun is not None
        result = replace(result_of(run, 4.0), pretraining=begun.identity)
        assert PlannedRun.of(result) == run
    assert short.first_step(Path("nowhere")).max_epochs == 100


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


def test_one_grid_leaks_and_no_other_may(tmp_path: Path) -> None:
    leaking = {
        name
        for name in grid_names()
        for cell in load_grid(name).cells
        for choice in cell.choices
        if choice.runs[0].settings.leak_held_out
    }
    assert leaking == {"leak"}
    path = tmp_path / "mine.toml"
    settings = "settings = { exclude_interactions = true, leak_held_out = true }"
    text = TINY.replace("settings = { max_epochs = 2, hidden_size = 8, num_layers = 1 }", settings)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="leaks held-out items into the negatives"):
        load_grid(str(path))
    path.write_text("leaks = true\n" + text, encoding="utf-8")
    assert load_grid(str(path)).cells[0].choices[0].runs[0].slug.endswith("-leakheldout")


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
    ended: list[tuple[str, Outcome]] = []
    events: list[Event | Notice] = []

    def make() -> dict[str, RunResult]:
        return make_runs(
            [grid, grid],
            tmp_path / "results",
            data_dir=None,
            jobs=2,
            device="cpu",
            on_event=events.append,
            on_start=lambda run: started.append(run.slug),
            on_end=lambda run, outcome: ended.append((run.slug, outcome)),
        )

    results = make()
    assert len(results) == 1
    assert len(started) == 2
    failures = [outcome for _, outcome in ended if isinstance(outcome, BaseException)]
    assert len(failures) == 1
    assert "num_heads must divide hidden_size" in str(failures[0])
    assert [event.epoch for event in events if isinstance(event, Event)] == [0, 1]
    assert len(events) == 2
    file = next((tmp_path / "results").rglob("seed0.json"))
    run = grid.cells[0].choices[0].runs[0]
    assert file == run.file(tmp_path / "results")
    assert results[run.key] == results_below(tmp_path / "results")[run.key]
    started.clear()
    make()
    assert started == [grid.cells[1].choices[0].runs[0].slug]


def test_a_result_is_found_again_under_the_full_name(tmp_path: Path) -> None:
    run = load_grid("table1", ["Sports"], seeds=1).cells[0].choices[0].runs[0]
    assert run.dataset == "Sports_and_Outdoors"  # as the data set calls itself in results
    file = run.file(tmp_path)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(result_of(run, test=1.0).to_json()), encoding="utf-8")
    assert results_below(tmp_path).keys() == {run.key}


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
    nothing: Any = lambda *_: None  # noqa: E731
    results = make_runs([grid], tmp_path, None, 1, "cpu", nothing, nothing, nothing)
    law = results[run.key].law
    assert law is not None
    assert law["stages"][0]["epochs"] == 0
    assert law["stages"][-1]["epochs"] == results[run.key].best_epoch + 1
    assert len(law["inputs"]) == 6
    names = sorted(each.name for each in file.parent.iterdir())
    assert names == ["replaced-seed0.json", "seed0.json"]  # what was there is not lost
    assert [each.test["HR@5"] for each in replaced_below(tmp_path)] == [5.0]
    assert results_below(tmp_path) == results
    assert by_need([grid], results) == []
    assert draw(grid, results, tmp_path / "law.png")
    assert "items that share the draws (the exponential" in page([grid], results, {})


# The order.


def test_seed_0_of_every_configuration_comes_first() -> None:
    grids = [load_grid("table2", ["Beauty"], seeds=2), load_grid("table1", ["Beauty"], seeds=2)]
    runs = by_need(grids, {})
    slugs = [(run.slug, run.settings.seed) for run in runs]
    assert slugs[:2] == [("genni-alpha2.5-beta0.1", 0), ("genni-alpha2.5-beta1", 0)]
    assert len(slugs) == len(set(slugs))
    seeds = [seed for _, seed in slugs]
    assert seeds == sorted(seeds)
    assert seeds.count(0) == 4 + 1 + 6 + 2  # table 2, uniform, what gamma is chosen from, S3-Rec
    assert len(Outlook.of(grids, {}).runs) == len(runs) + 1  # and seed 1 of the gamma


def test_a_run_that_keeps_the_law_stands_for_the_one_that_does_not() -> None:
    grids = [load_grid("table1", ["Sports"], seeds=1), load_grid("fig9")]
    plain = [run for run in by_need(grids, {}) if run.pretraining is None]
    (run,) = [run for run in plain if run.sampler["sampler"] == "genni"]
    assert run.law is not None
    result = result_of(run, 5.0)
    left = by_need(grids, {run.key: result})
    assert [each.law for each in left if each.key == run.key] == [run.law]
    assert run.key not in {each.key for each in by_need(grids, {run.key: replace(result, law={})})}


def test_times_are_of_the_runs_most_alike() -> None:
    cells = load_grid("fig5", ["Beauty", "Toys"], seeds=2).cells
    runs = {(cell.dataset, cell.point): cell.choices[0].runs for cell in cells}
    known = result_of(runs["Beauty", 0][0], 1.0)  # one epoch: 4 s, and 1 s of validation
    slow = replace(known, epochs=[replace(known.epochs[0], training_seconds=99.0)])
    one = runs["Beauty", 0][1]
    assert expected_seconds(one, {}) is None
    assert expected_seconds(one, {"a": known}) == 5
    other = replace(slow, sampler=dict(runs["Beauty", 1][0].sampler))
    assert expected_seconds(one, {"a": known, "b": other}) == 5
    assert expected_seconds(runs["Beauty", 2][0], {"a": known, "b": other}) == (5 + 100) / 2
    assert expected_seconds(runs["Toys", 0][0], {"b": other}) == 100
    outlook = Outlook.of([load_grid("fig9")], {"b": other})
    assert outlook.words(jobs=2) == "1 run left, about 1 min"
    assert "known after the first" in Outlook.of([load_grid("fig9")], {}).words()


def test_the_command_shows_its_plan(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.replace("seeds = 1", "seeds = 2"), encoding="utf-8")
    arguments = ["reproduce", str(path), "--results", str(tmp_path), "--dry-run"]
    shown = CliRunner().invoke(application, arguments)
    assert shown.exit_code == 0
    lines = [line.split() for line in shown.output.splitlines() if "synthetic" in line]
    assert [line[3] for line in lines] == ["0", "0", "1", "1"]
    assert "4 runs left; how long they take is known after the first" in shown.output
    assert not list(tmp_path.rglob("*.json"))


def test_a_command_that_is_killed_leaves_no_run_behind_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.replace("max_epochs = 2", "max_epochs = 8"), encoding="utf-8")
    command = [sys.executable, "-m", "negsamp_models", "reproduce", str(path), "--device", "cpu"]
    folder = tmp_path / "results"
    with subprocess.Popen([*command, "--results", str(folder)]) as process:
        while not list(folder.rglob("*.checkpoints/*.json")):
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
    positions, before = [0], [-1]
    while positions != before:  # the run stops with a checkpoint, and makes no other
        before = positions
        time.sleep(2)
        positions = sorted(int(each.stem[:6]) for each in folder.rglob("*.checkpoints/*.json"))
    assert positions[-1] < 8
    assert not list(folder.rglob("seed0.json"))
    shown = subprocess.run([*command, "--results", str(folder)], capture_output=True, check=False)
    assert shown.returncode == 1  # of the row that is wrong
    results = results_below(folder)
    assert [len(result.epochs) for result in results.values()] == [8]
    assert not list(folder.rglob("*.checkpoints"))


# The page.


def test_the_page_says_how_many_versions_of_the_code_made_the_runs() -> None:
    grid = load_grid("table1", ["Beauty"], seeds=2)
    runs = [run for cell in grid.cells for choice in cell.choices for run in choice.runs][:3]
    results = {run.key: result_of(run, 3.8) for run in runs}
    for key, source in zip(results, ["a", "b", ""], strict=True):
        about = {"source": source} if source else {}
        results[key] = replace(results[key], environment=results[key].environment | about)
    text = page([grid], results, {})
    assert "by 2 versions of the code (`source` in the files; 1 file from before" in text


def small_grid() -> Grid:
    return load_grid("table1", ["Beauty", "Yelp"], seeds=2)


def test_the_page_says_first_what_falls_short() -> None:
    grid = small_grid()
    runs = {(cell.dataset, cell.row): cell.choices[0].runs for cell in grid.cells if cell.choices}
    sasrec, genni = runs["Beauty", "SASRec"], runs["Beauty", "GenNi_SA"]
    yelp = runs["Yelp", "SASRec"]
    made = [(sasrec[0], 3.8), (sasrec[1], 3.9), (genni[0], 2.0), (yelp[0], 1.7)]
    text = page([grid], {run.key: result_of(run, test) for run, test in made}, {})
    summary, _, rest = text.partition("## The paper's tables")
    assert "- Runs: 4 of 40 are made." in summary
    assert "- Table 1, Beauty, GenNi_SA, 1 seed: HR@5 2.00 (6.30), HR@10 2.00 (8.79)," in summary
    assert "- SASRec: 8 figures, on average" in summary
    assert "- Beauty: GenNi_SA gains -1.85 over SASRec in HR@5 (paper +2.46)" in summary
    assert "- Table 1, Beauty, SASRec, 2 seeds: NDCG@5 3.85 (2.49), NDCG@10 3.85" in summary
    assert summary.index("Below the paper") < summary.index("Above the paper")
    assert "HR@5 3.85 (3.84)" not in summary  # inside
    assert (
        "do not hold here:\n\n- GenNi outperforms uniform negatives (Table 1, Beauty): GenNi_SA "
        "against SASRec: HR@5 2.00 against 3.85, worse (1 seed and 2)" in summary
    )
    assert "| SASRec | 3.85 ± 0.07 ● |" in rest
    assert "| *paper* | *3.84 ± 0.06* |" in rest
    assert "| GenNi_SA | 2.00 ▼ |" in rest
    assert "| SASRec_pop | - | - | - | - | 0 |" in rest
    assert "SASRec_pop: validation waits for the runs that are missing" in rest
    masked, ranked = rest.index("| Yelp, seen items masked |"), rest.index("seen items ranked |")
    assert "| SASRec | 1.70 ● |" in rest[masked:ranked]
    assert "| SASRec | 2.70 ▲ |" in rest[ranked:]


@pytest.mark.parametrize(
    ("expected", "ours", "outcome"),
    [
        ("above", 5.0, "holds"),
        ("above", 4.05, "not told apart"),
        ("above", 3.0, "does not hold"),
        ("not above", 5.0, "does not hold"),
        ("not above", 4.05, "not told apart"),  # noise hides 5 % more as well
        ("not above", 3.7, "holds"),
        ("not below", 3.0, "does not hold"),
        ("not below", 3.95, "not told apart"),
        ("not below", 4.3, "holds"),
    ],
)
def test_claims_are_checked_by_two_standard_errors(
    expected: Any, ours: float, outcome: str
) -> None:
    grid = load_grid("table1", ["Beauty"], seeds=1)
    contrast = Contrast("GenNi_SA", "SASRec", claim="so", expected=expected)
    grid = replace(grid, contrasts=(contrast,))
    runs = {cell.row: cell.choices[0].runs[0] for cell in grid.cells}
    results = {runs["SASRec"].key: result_of(runs["SASRec"], 4.0)}
    assert [each.outcome for each in compared(grid, results)] == ["missing"]
    results[runs["GenNi_SA"].key] = result_of(runs["GenNi_SA"], ours)
    assert [each.outcome for each in compared(grid, results)] == [outcome]


def test_a_claim_over_a_sweep_is_one_and_waits_for_all_points() -> None:
    grid = load_grid("fig11", ["Beauty"])
    runs = [(cell.row, cell.choices[0].runs[0]) for cell in grid.cells]
    results = {run.key: result_of(run, 4.0 + 2 * (row == "GenNi_SA")) for row, run in runs}
    (claim,) = claims(grid, results)
    assert (claim.outcome, len(claim.parts)) == ("holds", 5)
    last = runs[-1][1]
    (claim,) = claims(grid, {key: each for key, each in results.items() if key != last.key})
    assert claim.outcome == "missing"
    left = {key: each for key, each in results.items() if key != last.key}
    assert "GenNi_SA against SASRec, hidden size 128: HR@5" in page([grid], left, {})
    (claim,) = claims(grid, results | {last.key: result_of(last, 1.0)})
    assert claim.outcome == "does not hold"
    text = page([grid], results, {})
    assert text.count("GenNi outperforms uniform negatives in all circumstances (Figure 11") == 1


def test_a_figure_that_two_tables_show_counts_once() -> None:
    grids = [load_grid("table1", ["Beauty"]), load_grid("table2", ["Beauty"])]
    run = next(cell for cell in grids[1].cells if cell.row == "beta 1").choices[0].runs[0]
    text = page(grids, {run.key: result_of(run, 1.0)}, {})
    assert "of 4 that both have, each counted once, 0 are inside the paper's range, 0" in text
    assert text.count("1 seed: HR@5 1.00 (6.30)") == 1


def test_the_page_says_which_runs_were_made_again() -> None:
    grid = load_grid("table1", ["Beauty"])
    run = grid.cells[0].choices[0].runs[1]
    text = page([grid], {run.key: result_of(run, 4.0)}, {}, [result_of(run, 3.0)])
    assert (
        "- Made again by later code: Beauty uniform, seed 1: HR@5 3.00, then 4.00; NDCG@5 3.00, "
        "then 4.00. The later stands in the tables." in text
    )


def test_seeds_are_one_row_however_a_default_is_written() -> None:
    runs = small_grid().cells[0].choices[0].runs
    results = [result_of(run, 3.0) for run in runs]
    results[1] = replace(results[1], sampler={**runs[1].sampler, "num_negatives": 1})
    assert [row.num_seeds for row in summarise(results)] == [2]


@pytest.mark.parametrize("name", grid_names())
def test_rows_of_a_grid_have_names_of_their_own_in_tables(name: str) -> None:
    cells = load_grid(name).cells
    runs = {run.key: run for cell in cells for choice in cell.choices for run in choice.runs[:1]}
    rows = summarise(
        replace(result_of(run, 5.0), pretraining=begun.identity if begun else None)
        for run, begun in ((run, run.pretraining) for run in runs.values())
    )
    assert len({(row.dataset, row.negatives) for row in rows}) == len(rows) == len(runs)


def test_names_in_tables_say_what_is_not_the_default() -> None:
    def names(grid: str) -> list[str]:
        runs = [cell.choices[0].runs[0] for cell in load_grid(grid).cells]
        return [row.negatives for row in summarise(result_of(run, 5.0) for run in runs)]

    assert "GenNi alpha=2.5 beta=0.01 candidates=query" in names("candidates")
    assert "uniform hidden_size=16" in names("fig11")
    assert "uniform num_layers=3 num_heads=4" in names("layers_heads")


def test_contrasts_name_rows_and_points_of_their_grid() -> None:
    for name in grid_names():
        grid = load_grid(name)
        assert all(each.one.keys() == each.other.keys() for each in compared(grid, {}))


def test_a_sweep_is_a_wide_table_with_the_paper_below() -> None:
    grid = load_grid("table3")
    run = next(cell for cell in grid.cells if (cell.row, cell.point) == ("GenNi", 3)).choices[0]
    text = page([grid], {run.runs[0].key: result_of(run.runs[0], 5.9)}, {})
    assert "| Beauty | k: | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | seeds |" in text
    assert "| GenNi | HR@5 | - | - | - | 5.90 ● | - | - | - | - | 1 |" in text
    assert "| *paper* |  | *5.64* | *5.70* | *5.83* | *5.81* |" in text


def test_beyond_the_paper_test_is_read_of_the_chosen_row_alone() -> None:
    grid = load_grid("beyond")
    (cell,) = grid.cells
    firsts = [choice.runs[0] for choice in cell.choices]
    assert [run.settings.seed for run in cell.missing({})] == [0] * len(firsts)
    results = {
        run.key: result_of(run, test=90 + place, validation=5 + (place == 1))
        for place, run in enumerate(firsts[1:])
    }
    text = page([grid], results, {})
    assert "Validation has not chosen yet: 1 run of 8 missing. Until then no test" in text
    assert not any(f"{90 + place}.00" in text for place in range(len(firsts)))
    results[firsts[0].key] = result_of(firsts[0], test=99, validation=1)
    (chosen,) = cell.missing(results)
    assert (chosen.sampler, chosen.settings.seed) == (firsts[2].sampler, 1)
    results[chosen.key] = result_of(chosen, test=4.0)
    text = page([grid], results, {})
    label = cell.choices[2].label
    assert f"| **{label}** | 6.00 | 6.00 | 6.00 | 4.00 |" in text
    assert f"Validation chose **{label}**. Its test figures (2 seeds): HR@5 47.50" in text
    assert "(aim 7: reached)" in text
    assert "99.00" not in text


def test_leaking_rows_are_marked() -> None:
    grid = load_grid("leak")
    runs = {cell.row: cell.choices[0].runs[0] for cell in grid.cells}
    results = {run.key: result_of(run, 5.0) for run in runs.values()}
    text = page([grid], results, {})
    assert "| GenNi, whole sequence **LEAKS** | 1.00 | 5.00 |" in text
    assert "| GenNi, training items | 1.00 | 5.00 |" in text


def test_times_name_their_device() -> None:
    grid = load_grid("table5", ["Beauty"])
    runs = [cell.choices[0].runs[0] for cell in grid.cells]
    results = {run.key: result_of(run, 5.0) for run in runs[:2]}
    about = results[runs[0].key].environment | {"source": "a"}
    results = {key: replace(each, environment=about) for key, each in results.items()}
    slow = results[runs[1].key]
    slow = replace(slow, epochs=[replace(slow.epochs[0], training_seconds=10.0)])
    text = page([grid], results | {runs[1].key: slow}, {})
    assert "| SASRec | 4.00 | 5.00 ▲ | 1 |" in text
    assert "All on cpu (test), 2 threads, torch 2." in text
    assert "- Beauty, times that of SASRec: GenNi_SA beta 0.1 2.50 (paper 1.01)." in text
    for other in ({"device": "cuda (test)"}, {"source": "b"}):
        elsewhere = replace(slow, environment=about | other)
        both = page([grid], results | {runs[1].key: elsewhere}, {})
        assert "their ratios would say nothing" in both
        assert "times that of SASRec" not in both
        if "device" in other:
            assert "- On cuda (test), 2 threads, torch 2: Beauty GenNi_SA beta 0.1." in both


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
        run = PlannedRun.of(result)
        run = replace(run, settings=replace(run.settings, device="auto"))
        content = json.loads(run.file(folder).read_text(encoding="utf-8"))
        assert RunResult.from_json(content) == result


def test_the_page_is_what_the_result_files_give() -> None:
    folder = ROOT / "docs" / "reproduction"
    grids = [load_grid(name) for name in grid_names()]
    pictures = {path.stem: path.name for path in folder.glob("*.png")}
    text = page(grids, results_below(ROOT / "results"), pictures, replaced_below(ROOT / "results"))
    assert text == (folder / "index.md").read_text(encoding="utf-8")
