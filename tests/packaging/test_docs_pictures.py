"""Each picture of the pages has the script that draws it beside it, and is shown."""

from __future__ import annotations

import runpy
from pathlib import Path

import matplotlib
import pytest

DOCS = Path(__file__).parents[2] / "docs"
SCRIPTS = sorted((DOCS / "pictures").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_draws_the_picture_of_a_page(script: Path, tmp_path: Path) -> None:
    matplotlib.use("Agg")
    drawn = tmp_path / f"{script.stem}.png"
    runpy.run_path(str(script))["main"](drawn)
    assert drawn.read_bytes()[:4] == b"\x89PNG"
    assert script.with_suffix(".png").exists()
    page = (DOCS / f"{script.stem}.md").read_text(encoding="utf-8")
    assert f"](pictures/{script.stem}.png)" in page


def test_no_picture_is_without_its_script() -> None:
    pictures = {picture.stem for picture in (DOCS / "pictures").glob("*.png")}
    assert pictures == {script.stem for script in SCRIPTS}


def test_laws_in_the_picture_leave_out_the_target() -> None:
    names = runpy.run_path(str(DOCS / "pictures" / "laws.py"))
    law = names["law"](names["GenNi"](names["NUM_ITEMS"], alpha=2.5))[0]
    assert law[names["TARGET"]] == 0
    assert law.sum() == pytest.approx(1)
