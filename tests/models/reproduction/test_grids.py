"""Grids: the runs that they ask for, and files that are none."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from negsamp import ConfigError
from negsamp_models.records.run_key import key_of
from negsamp_models.reproduction.declarations import grid_names, load_grid
from negsamp_models.reproduction.page.figures import figures_of
from negsamp_models.reproduction.planned import PlannedRun
from negsamp_models.settings import TrainingSettings
from tests.models.reproduction.made_up import TINY, result_of


@pytest.mark.parametrize("name", grid_names())
def test_runs_have_a_file_each(name: str) -> None:
    runs = [run for cell in load_grid(name).cells for run in cell.runs]
    files = {run.file(Path()): run.key for run in runs}
    assert len(files) == len({run.key for run in runs})
    assert all(files[run.file(Path())] == run.key for run in runs)


def test_rows_of_the_paper_are_rows_of_the_grids() -> None:
    for name in ("table1", "table2", "table3", "table5", "seen_items"):
        for cell in load_grid(name).cells:
            figures = figures_of(load_grid(name), cell, {}).values()
            assert any(figure.theirs for figure in figures), (name, cell.dataset, cell.row)


@pytest.mark.parametrize("name", ["table1", "table5", "fig4", "fig6", "fig10", "seen_items"])
def test_alpha_on_yelp_is_the_one_that_the_paper_prints(name: str) -> None:
    """In all rows of GenNi alike, so that tables and figures share their runs."""
    runs = [run for cell in load_grid(name, ["Yelp"]).cells for run in cell.runs]
    assert {run.sampler["alpha"] for run in runs if "alpha" in run.sampler} == {4.4}


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
    assert cell.chosen(results) is None
    assert figures_of(grid, cell, results)["HR@5"].mean is None
    results[first[5].key] = result_of(first[5], test=99, validation=-9)
    assert [(r.sampler["gamma"], r.settings.seed) for r in cell.missing(results)] == [(0.75, 1)]
    choice = cell.chosen(results)
    assert choice is not None
    assert choice.label == "gamma = 0.75"
    assert figures_of(grid, cell, results)["HR@5"].mean == 7


def test_validation_may_choose_among_words(tmp_path: Path) -> None:
    row = 'sampler = "genni"\nbeta = 0.5\ncandidates = ["batch", "query"]'
    path = tmp_path / "mine.toml"
    path.write_text(TINY.replace('sampler = "uniform"', row, 1), encoding="utf-8")
    cell = load_grid(str(path)).cells[0]
    assert [each.label for each in cell.choices] == ["candidates = batch", "candidates = query"]


def test_runs_are_the_same_whatever_wrote_their_numbers() -> None:
    settings = asdict(TrainingSettings())
    one = key_of("Beauty", {"sampler": "genni", "alpha": 2, "beta": 1.0}, settings)
    other = {"sampler": "genni", "num_negatives": 1, "beta": 1, "alpha": 2.0}
    assert one == key_of("Beauty", other, settings | {"device": "cuda"})
    assert one != key_of("Beauty", other, settings | {"seed": 1})
    assert one == key_of("Beauty", other | {"candidates": "query"}, settings)  # of all items
    few, own = other | {"beta": 0.5}, other | {"beta": 0.5, "candidates": "query"}
    assert key_of("Beauty", few, settings) != key_of("Beauty", own, settings)


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
    path.write_bytes(b"title = '\xff'")
    with pytest.raises(ConfigError, match="is not TOML: 'utf-8' codec can't decode byte 0xff"):
        load_grid(str(path))
    path.write_text("title = 'x'\nseeds = 1", encoding="utf-8")
    with pytest.raises(ConfigError, match="lacks the keys datasets, metrics, rows"):
        load_grid(str(path))


CONTRAST = 'contrasts = [{{ row = "R", other = "R", {} }}]'


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("seeds = 1", "seeds = 0", "seeds of the grid .* must be >= 1; got 0"),
        ("seeds = 1", 'seeds = "1"', "seeds of the grid .* must be a number of seeds; got '1'"),
        ('["here"]', '"here"', "datasets of the grid .* must be a list of names; got 'here'"),
        ('title = "T"', "title = 3", "title of the grid .* must be text; got 3"),
        ('title = "T"', 'title = "T"\nnote = 3', "note of the grid .* must be text; got 3"),
        (
            '[rows.R]\nsampler = "uniform"',
            "rows = 3",
            "rows of the grid .* must be a table of rows; got 3",
        ),
        ("[rows.R]", "[rows]", "the row 'sampler' of the grid .* must be a table that has a sampl"),
        ('sampler = "uniform"', "gamma = 1", "the row 'R' .* that has a sampler, such as"),
        ('"uniform"', '"unifrom"', "the row 'R' .*: unknown sampler 'unifrom'; .* 'uniform'"),
        ('"uniform"', '"genni"\nalpha = -1', "the row 'R' of the grid .*: alpha must stay in"),
        ('"uniform"', '"uniform"\ngamma = 1', "the row 'R' of the grid .*gamma"),
        (
            '"uniform"',
            '"popularity"\ngamma = []',
            "the row 'R' .*: gamma must be a value, or a",
        ),
        ('"uniform"', '"uniform"\nsettings.num_heads = 3', "the row 'R' .*: num_heads must divide"),
        ('"uniform"', '"uniform"\nsettings.dropout = 2', "the row 'R' .*: dropout must be in"),
        ('"uniform"', '"uniform"\nsettings = 3', "settings of the row 'R' .* a table; got 3"),
        ('"uniform"', '"uniform"\non = 3', "on of the row 'R' .* must be a table; got 3"),
        ('"uniform"', '"uniform"\non.here = 3', "on.here of the row 'R' .* must be a table; got"),
        ('"uniform"', '"uniform"\non.her.k = 1', "unknown data set in the row .*mean 'here'"),
        ("seeds = 1", "seeds = 1\nsweep = 3", "sweep of the grid .* one key and its values, such"),
        ("seeds = 1", "seeds = 1\nsweep = {}", "sweep of the grid .* one key and its values, such"),
        ("seeds = 1", "seeds = 1\nsweep.alpha = []", "sweep of the .* one key and its values"),
        ("seeds = 1", "seeds = 1\nsweep.alpha = 2", "sweep of the .* one key and its values"),
        ("seeds = 1", "seeds = 1\nsweep = { a = [1], b = [2] }", "sweep of .* one key and its val"),
        ("seeds = 1", "seeds = 1\nlaw.epochs = 3", "epochs must be a list of numbers of epochs; g"),
        ("seeds = 1", "seeds = 1\nlaw = 3", "law must be a table; got 3"),
        ("seeds = 1", "seeds = 1\ngains = 3", "gains of the grid .* must be a list of gains; got"),
        ("seeds = 1", "seeds = 1\ncontrasts = [3]", "a contrast must be a table; got 3"),
        (
            "seeds = 1",
            'seeds = 1\nchoose = true\ncontrasts = [{ row = "R", other = "R" }]',
            "chooses one of its rows, and cannot compare them: leave out either choose or",
        ),
        ("seeds = 1", 'seeds = 1\ncontrasts = [{ row = "R" }]', "a contrast lacks the keys other"),
        (
            "seeds = 1",
            'seeds = 1\ncontrasts = [{ raw = "R", other = "R" }]',
            "unknown key of a contrast 'raw'; .* did you mean 'row'",
        ),
        *(
            (
                "seeds = 1",
                f"seeds = 1\nsweep.gamma = [1, 2]\n{CONTRAST.format(more)}",
                message,
            )
            for more, message in [
                ('metric = "HR@6"', "unknown metric of a contrast 'HR@6'; .*did you mean 'HR@5'"),
                ('datasets = ["her"]', "unknown data set of a contrast 'her'; .*mean 'here'"),
                ('expected = "abov"', "unknown expected of a contrast 'abov'; .*mean 'above'"),
                ("at = 0, other_at = 2", "other_at of a contrast .* of its 2 values; got 2"),
                ("at = [], other_at = 0", r"at of a contrast .* of its 2 values; got \[\]"),
                ("at = 0", "a contrast needs both of at and other_at, or none; got"),
                ("other_at = 0", "a contrast needs both of at and other_at, or none; got"),
                ('at = 1, other_at = "best"', "other_at of a contrast .* values; got 'best'"),
            ]
        ),
        (
            "seeds = 1",
            'seeds = 1\ncontrasts = [{ row = "R", other = "r" }]',
            "unknown row of a contrast 'r'; .* did you mean 'R'",
        ),
        (
            "seeds = 1",
            'seeds = 1\ngains = [{ row = 3, other = "R", metric = "", printed = 1, claim = "" }]',
            "unknown row of a gain 3; known: R",
        ),
    ],
)
def test_grids_of_a_wrong_form_are_refused(
    right: str, wrong: str, message: str, tmp_path: Path
) -> None:
    text = """title = "T"
datasets = ["here"]
seeds = 1
metrics = ["HR@5"]
[rows.R]
sampler = "uniform"
"""
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    assert load_grid(str(path)).name == "mine"
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_grid(str(path))
