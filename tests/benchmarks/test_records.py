"""Result files say all that was measured, and come back as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.records import CaseResult, Measurement, read_results
from benchmarks.settings import Draw, Epoch
from tests.benchmarks.made_up import DRAW, contender, measured, result

PEER = contender("b", lambda _: pytest.fail("is not prepared"))


def test_a_result_comes_back_from_its_file(tmp_path: Path) -> None:
    written = result(
        [
            measured("a", DRAW, 0.1 + 0.2),
            measured("a", Draw("uniform", 3, 7, exclude="interactions"), 1.0, peak_bytes=12),
            measured("a", Epoch("Beauty", "genni", 0.1)),
            Measurement.without_figure(PEER, DRAW, "missing", "No module named 'b'"),
        ],
        axis="rows",
    )
    written.write(tmp_path / "case.json")
    assert CaseResult.read(tmp_path / "case.json") == written
    assert read_results(tmp_path) == [written]


def test_older_files_called_the_reference_a_floor(tmp_path: Path) -> None:
    result([measured("a", DRAW, role="reference")]).write(tmp_path / "case.json")
    text = (tmp_path / "case.json").read_text()
    (tmp_path / "case.json").write_text(text.replace('"reference"', '"floor"'))
    assert CaseResult.read(tmp_path / "case.json").measurements[0].role == "reference"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"measurements": [{"setting": {"colour": "red"}}]}']
)
def test_another_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "case.json").write_text(text)
    with pytest.raises(ValueError, match=r"case\.json is not the result of a case"):
        read_results(tmp_path)
