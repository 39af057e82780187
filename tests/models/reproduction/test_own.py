"""Grids of one's own, and the page of their results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from negsamp_models.files.writing import write_json
from negsamp_models.reproduction.declarations import load_grid
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.page import pictures
from negsamp_models.reproduction.page.own import own_page
from negsamp_models.reproduction.page.pictures import draw
from tests.models.command import plain, run
from tests.models.reproduction.made_up import result_of

OWN = """
title = "Ours"
datasets = ["mine"]
seeds = 2
metrics = ["HR@5", "NDCG@5", "s/epoch"]

[rows.SASRec]
sampler = "uniform"

[rows.GenNi]
sampler = "genni"
alpha = [1.0, 2.5]
"""
SWEPT = OWN.replace("[rows.SASRec]", 'sweep = { loss = ["nce", "bpr"] }\n\n[rows.SASRec]')
CHOSEN = OWN.replace("[rows.SASRec]", "choose = true\n\n[rows.SASRec]")


def grid_of(folder: Path, text: str = OWN, name: str = "table1") -> Grid:
    """Return a grid, by default of the name of one of the paper."""
    (folder / f"{name}.toml").write_text(text)
    return load_grid(str(folder / f"{name}.toml"))


def write_results(grid: Grid, folder: Path, **tests: list[float]) -> None:
    """Write a result for each seed of the first choice of a row."""
    for cell in grid.cells:
        for each, test in zip(cell.choices[0].runs, tests.get(cell.row, []), strict=False):
            write_json(each.file(folder), result_of(each, test).to_json())


def report(folder: Path, *more: str) -> Result:
    own = str(folder / "table1.toml")
    arguments = ["--results", str(folder / "runs"), "-o", str(folder / "page")]
    return run("report", own, *arguments, *more)


def test_the_page_has_means_and_what_is_missing_and_no_paper(tmp_path: Path) -> None:
    grid = grid_of(tmp_path)
    write_results(grid, tmp_path / "runs", SASRec=[3.0, 4.0], GenNi=[5.0])
    done = report(tmp_path)
    assert done.exit_code == 0, done.output
    text = (tmp_path / "page" / "index.md").read_text()
    assert "| mine | HR@5 | NDCG@5 | s/epoch | seeds |" in text
    assert "| SASRec | 3.50 ± 0.71 | 3.50 ± 0.71 | 4.00 | 2 |" in text
    assert "| GenNi | - | - | - | 0 |" in text
    assert (
        "GenNi: validation selected nothing yet: runs are missing (NDCG@10, seed 0: alpha" in text
    )
    assert "- Runs: 3 finished and 2 missing." in text
    assert "- Missing: mine genni-alpha2.5, seed 0; mine genni-alpha1, seed 1." in text
    assert "\n## Ours\n" in text
    assert "paper" not in text
    assert not list((tmp_path / "page").glob("*.png"))  # of one row with runs there is no picture


def test_the_page_shows_a_choice_that_is_made_and_a_picture(tmp_path: Path) -> None:
    grid = grid_of(tmp_path)
    write_results(grid, tmp_path / "runs", SASRec=[3.0, 4.0], GenNi=[5.0, 6.0])
    (run,) = grid.cells[1].choices[1].runs[:1]
    write_json(run.file(tmp_path / "runs"), result_of(run, 9.0, validation=0.5).to_json())
    assert report(tmp_path).exit_code == 0
    text = (tmp_path / "page" / "index.md").read_text()
    assert "| GenNi (alpha = 1) | 5.50 ± 0.71 |" in text
    assert "GenNi: validation selected alpha = 1 (NDCG@10, seed 0: alpha = 1: 1.00; alpha" in text
    assert "- Runs: 5 finished and 0 missing.\n\n" in text
    assert "![Ours](table1.png)" in text
    assert (tmp_path / "page" / "table1.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (SWEPT, ["| mine | loss: | nce | bpr | seeds |", "| SASRec | HR@5 | 3.00 ± 0.00 |"]),
        (CHOSEN, ["| GenNi, alpha = 2.5 | - |", "No row is selected yet: 2 runs of 3 missing"]),
        (CHOSEN + "\n[sweep]\nnum_layers = [1, 2]\n", ["| GenNi, num_layers = 2, alpha = 2.5 | -"]),
        (OWN.replace('"HR@5", "NDCG@5", ', ""), ["| mine | s/epoch | seeds |"]),
        (
            SWEPT.replace('"HR@5", "NDCG@5", ', '"best epoch", '),
            ["| SASRec | best epoch | 1 ± 0 |"],
        ),
    ],
    ids=["words", "chosen rows", "chosen points", "times alone", "no test metric"],
)
def test_the_page_of_other_grids(tmp_path: Path, text: str, lines: list[str]) -> None:
    grid = grid_of(tmp_path, text)
    runs = grid.cells[0].choices[0].runs
    shown = own_page([grid], {each.key: result_of(each, 3.0) for each in runs}, {})
    for line in lines:
        assert line in shown, shown


def test_curves_are_of_validation_whatever_the_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(pictures, "save_picture", lambda figure, *_, **__: drawn.append(figure))
    curves = OWN.replace("[rows.SASRec]", "curves = true\n\n[rows.SASRec]")
    first = '"HR@5", "NDCG@5", "s/epoch"'
    for metrics, shown in (
        ('"validation NDCG@5"', "NDCG@5"),
        ('"best epoch", "HR@5"', "HR@5"),
        ('"passes"', "NDCG@10"),
    ):
        grid = grid_of(tmp_path, curves.replace(first, metrics))
        runs = [cell.choices[0].runs[0] for cell in grid.cells]
        runs.append(grid.cells[1].choices[1].runs[0])
        assert draw(grid, {each.key: result_of(each, 3.0) for each in runs}, tmp_path / "any.png")
        assert drawn[-1].axes[0].get_ylabel() == f"validation {shown}, percent"


def test_where_users_return_to_items_these_are_ranked_too(tmp_path: Path) -> None:
    grid = grid_of(tmp_path)
    runs = [cell.choices[0].runs[0] for cell in grid.cells]
    results = {each.key: result_of(each, 3.0) for each in runs}
    assert "| mine | HR@5 |" in own_page([grid], results, {})
    ranked = results[runs[0].key].test | {"HR@10": 4.0}
    results[runs[0].key] = replace(results[runs[0].key], test_unmasked=ranked)
    text = own_page([grid], results, {})
    masked, after = text.split("| mine, seen items ranked | HR@5 |")
    assert "| mine, seen items masked | HR@5 |" in masked
    assert "| SASRec | 3.00 |" in after


def test_comparisons_say_what_they_rest_on(tmp_path: Path) -> None:
    plain = grid_of(tmp_path)
    both = (
        'contrasts = [{ row = "GenNi", other = "SASRec", metric = "best epoch" }]\n\n[rows.SASRec]'
    )
    grid = grid_of(
        tmp_path, OWN.replace("[rows.SASRec]", both).replace('"s/epoch"', '"best epoch"')
    )
    each = [cell.choices[0].runs[0] for cell in grid.cells] + [grid.cells[1].choices[1].runs[0]]
    results = {run.key: result_of(run, 3.0) for run in each}
    late = results[each[0].key]
    results[each[0].key] = replace(late, epochs=late.epochs * 2, best_epoch=1)
    text = own_page([grid], results, {})
    assert "where it is unknown" in text
    assert "best epoch 1 against 2, within seed noise" in text
    assert "t test" not in own_page([plain], results, {})


@pytest.mark.parametrize(
    ("metric", "label"),
    [
        ("best epoch", "best epoch"),
        ("s/epoch", "s/epoch"),
        ("validation HR@5", "validation HR@5, percent"),
        ("HR@10", "test HR@10, percent"),
    ],
)
def test_the_axis_has_the_unit_of_the_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metric: str, label: str
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(pictures, "save_picture", lambda figure, *_, **__: drawn.append(figure))
    text = SWEPT.replace('loss = ["nce", "bpr"]', "dropout = [0.2, 0.5]")
    grid = grid_of(tmp_path, text.replace('"HR@5", "NDCG@5", "s/epoch"', f'"{metric}"'))
    runs = [cell.choices[0].runs[0] for cell in grid.cells]
    assert draw(grid, {each.key: result_of(each, 3.0) for each in runs}, tmp_path / "any.png")
    assert drawn[-1].axes[0].get_ylabel() == label


def test_only_a_page_is_replaced(tmp_path: Path) -> None:
    write_results(grid_of(tmp_path), tmp_path / "runs", SASRec=[3.0])
    page = tmp_path / "page" / "index.md"
    page.parent.mkdir()
    page.write_text("weeks of work")
    refused = report(tmp_path)
    assert refused.exit_code == 2
    assert "index.md holds something else: name another --output" in plain(refused.stderr)
    assert page.read_text() == "weeks of work"
    page.unlink()
    assert [report(tmp_path).exit_code for _ in range(2)] == [0, 0]


def test_what_cannot_be_reported_is_named(tmp_path: Path) -> None:
    grid_of(tmp_path)
    nothing = plain(report(tmp_path).stderr)
    assert "holds no result of a run; make some with: negsamp reproduce " in nothing
    assert nothing.strip().endswith(f"table1.toml --results {tmp_path / 'runs'}")
    other = grid_of(tmp_path, OWN.replace("mine", "other"), "other")
    write_results(other, tmp_path / "runs", SASRec=[3.0])
    assert "belongs to no grid that is named; make" in plain(report(tmp_path).stderr)
    assert "takes TOML files with grids of your own; got 'table1'" in plain(
        run("report", "table1").stderr
    )
    (tmp_path / "again").mkdir()
    grid_of(tmp_path / "again")
    twice = report(tmp_path, str(tmp_path / "again" / "table1.toml"))
    assert "2 grids have the name table1" in plain(twice.stderr)
    assert not (tmp_path / "page").exists()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"HR@5"', '"HR@7"', "unknown metric of the grid .* 'HR@7'; .*; did you mean 'HR@5'"),
        ('["HR@5", "NDCG@5", "s/epoch"]', "[]", "must be a list of metrics, .*; got none"),
        ("seeds = 2", "seeds = 2\ncurves = true\nsweep = { alpha = [1] }", "cannot draw curves: "),
        ('["mine"]', "[]", "datasets of the grid .* must be a list of names; got none"),
    ],
)
def test_a_grid_that_no_page_could_show_is_refused(
    tmp_path: Path, before: str, after: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        grid_of(tmp_path, OWN.replace(before, after))
