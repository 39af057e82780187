"""Pictures of grids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from negsamp_models.reproduction.declarations import load_grid
from negsamp_models.reproduction.page import pictures
from negsamp_models.reproduction.page.noise import MIN_DEVIATION
from negsamp_models.reproduction.page.pictures import draw
from tests.models.reproduction.made_up import result_of


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


def test_points_have_bars_and_stand_side_by_side_in_the_range_of_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(pictures, "save_picture", lambda figure, *_, **__: drawn.append(figure))
    grid = load_grid("layers_heads")
    runs = [cell.choices[0].runs[0] for cell in grid.cells]
    assert draw(grid, {run.key: result_of(run, 5.0) for run in runs}, tmp_path / "any.png")
    (axes,) = drawn[0].axes
    assert axes.get_ylim()[0] > 4.5  # not 0, which would hide what differs
    points = {line.get_label(): line.lines[0].get_xydata() for line in axes.containers}
    assert len({xy[0][0] for xy in points.values()}) == len(grid.rows)
    for line in axes.containers:
        low, high = line.lines[2][0].get_segments()[0][:, 1]
        assert high - low == pytest.approx(2 * 5 * MIN_DEVIATION)


def test_the_legend_names_rows_in_their_order_each_before_the_papers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(pictures, "save_picture", lambda figure, *_, **__: drawn.append(figure))
    for name, labels in (
        ("table3", ["uniform", "uniform, paper", "GenNi", "GenNi, paper"]),
        ("fig6", ["GenNi_SA", "GenNi_SA, candidates per row"]),
        ("table2", ["ours", "paper"]),
    ):
        grid = load_grid(name, ["Beauty"])
        runs = [cell.choices[0].runs[0] for cell in grid.cells]
        assert draw(grid, {run.key: result_of(run, 5.0) for run in runs}, tmp_path / "any.png")
        (legend,) = drawn.pop().legends
        assert [text.get_text() for text in legend.get_texts()] == labels


def test_panels_of_yelp_say_which_items_are_ranked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(pictures, "save_picture", lambda figure, *_, **__: drawn.append(figure))
    for name in ("fig4", "fig5"):
        grid = load_grid(name, ["Yelp"])
        runs = [cell.choices[0].runs[0] for cell in grid.cells]
        assert draw(grid, {run.key: result_of(run, 5.0) for run in runs}, tmp_path / "any.png")
        assert [axes.get_title() for axes in drawn[-1].axes] == ["Yelp, seen items masked"]
    assert "first seed; dots: the best epoch, by validation NDCG@10" in drawn[0].get_suptitle()
    assert "bars: one standard error" in drawn[1].get_suptitle()


def test_a_table_has_ours_beside_the_paper_s_and_says_what_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(pictures, "save_picture", lambda figure, *_, **__: drawn.append(figure))
    grid = load_grid("table1", ["Beauty", "Yelp"])
    runs = [cell.choices[0].runs[0] for cell in grid.cells if cell.row in ("SASRec", "GenNi_SA")]
    assert draw(grid, {run.key: result_of(run, 3.0) for run in runs}, tmp_path / "any.png")
    panels = {axes.get_title(): axes for axes in drawn[0].axes}
    assert list(panels) == ["Beauty", "Yelp, seen items masked", "Yelp, seen items ranked"]
    for title, ours in zip(panels, (3.0, 3.0, 4.0), strict=True):
        axes = panels[title]
        points = {line.get_label(): line.lines[0].get_xydata() for line in axes.containers}
        assert [x for x, _ in points["ours"]] == [ours, ours]
        assert [round(y) for _, y in points["ours"]] == [0, 2]
        assert len(points["paper"]) == len(grid.rows)
        assert [text.get_text() for text in axes.texts] == ["not run"] * 3
    assert panels["Beauty"].containers[1].lines[0].get_xdata()[0] == 3.84


def test_of_plain_tables_those_of_the_paper_by_a_test_metric_are_drawn(tmp_path: Path) -> None:
    for name, is_drawn in (("table2", True), ("table5", False), ("exclusions", False)):
        grid = load_grid(name)
        runs = [choice.runs[0] for cell in grid.cells for choice in cell.choices]
        results = {run.key: result_of(run, 3.0) for run in runs}
        assert draw(grid, results, tmp_path / f"{name}.png") == is_drawn


@pytest.mark.parametrize(("name", "label"), [("fig8", "initial alpha"), ("fig5", "alpha")])
def test_the_axis_says_that_a_schedule_starts_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, label: str
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(pictures, "save_picture", lambda figure, *_, **__: drawn.append(figure))
    grid = load_grid(name, ["Beauty"])
    runs = [cell.choices[0].runs[0] for cell in grid.cells]
    assert draw(grid, {run.key: result_of(run, 5.0) for run in runs}, tmp_path / "any.png")
    assert [axes.get_xlabel() for axes in drawn[0].axes] == [label]
