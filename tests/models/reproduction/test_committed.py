"""The results that are committed, and the page of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from negsamp_models.records import RunResult
from negsamp_models.reproduction.declarations import grid_names, load_grid
from negsamp_models.reproduction.page.report import page
from negsamp_models.reproduction.planned import PlannedRun
from negsamp_models.reproduction.replaced import replaced_below
from negsamp_models.reproduction.running import results_below

ROOT = Path(__file__).parents[3]


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
