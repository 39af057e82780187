"""A table shows every contender: its time and ratio, or that it is missing and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.__main__ import RESULTS
from benchmarks.contenders import REFERENCES
from benchmarks.contenders.bare_products import PRODUCT
from benchmarks.records import CaseResult, Measurement
from benchmarks.reporting.report import REPORT, ordered, render, write_report
from benchmarks.reporting.tables import case_table, format_bytes, format_seconds, ratio_of
from benchmarks.settings import Draw, Epoch
from tests.benchmarks.made_up import DRAW, contender, measured, result

PEER = contender("a peer", lambda _: pytest.fail("is not prepared"))
MISSING = Measurement.without_figure(PEER, DRAW, "missing", "No module named 'peer'")


def drawn() -> CaseResult:
    more = replace(DRAW, num_negatives=10)
    return result(
        [
            measured("negsamp numba", DRAW, 0.03),
            measured(PRODUCT, DRAW, 0.02),
            MISSING,
            measured("negsamp numba", more, 0.05),
        ]
    )


def test_a_missing_peer_is_named_with_its_reason() -> None:
    lines = case_table(drawn()).splitlines()
    assert lines[0] == f"| k | negsamp numba | {PRODUCT} | a peer |"
    assert lines[2] == "| 1 | 30 ms (1.5) | 20 ms (1) | *missing* |"
    assert lines[3] == "| 10 | 50 ms (2.5) |  |  |"
    assert lines[-1] == "- a peer, *missing*: No module named 'peer'"


def test_a_draw_by_weight_is_over_the_reference_of_its_own_setting() -> None:
    one = Draw("uniform", 8, 100)
    ten = replace(one, num_negatives=10)
    bare = REFERENCES["uniform"]
    case = result([measured(bare, one, 1.0), measured("a", ten, 6.0), measured(bare, ten, 2.0)])
    assert ratio_of(case, case.measurements[1]) == 3.0
    assert ratio_of(result([case.measurements[1]]), case.measurements[1]) is None


def test_an_epoch_is_over_the_uniform_one_of_the_same_contender() -> None:
    uniform, genni = Epoch("Beauty", "uniform"), Epoch("Beauty", "genni")
    lines = [
        measured("a", uniform, 2.0),
        measured("b", uniform, 4.0),
        measured("b", genni, 6.0),
    ]
    assert ratio_of(result(lines), lines[-1]) == 1.5


def test_memory_is_shown_with_the_time_of_its_call() -> None:
    case = result([measured("a", DRAW, 2.0, peak_bytes=123_456_789)], measure="memory")
    assert "| 123 MB in 2 s |" in case_table(case)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.5, "2.5 s"), (0.0123456, "12.3 ms"), (4.5e-5, "45 µs"), (7e-9, "7 ns"), (123.4, "123 s")],
)
def test_times_have_three_digits(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


def test_sizes_are_megabytes() -> None:
    assert (format_bytes(1_234_567), format_bytes(256e6)) == ("1.2 MB", "256 MB")


def test_the_report_is_written_from_the_files_with_both_pictures(tmp_path: Path) -> None:
    drawn().write(tmp_path / "genni-batch-threads-2.json")
    rows = [measured("negsamp numba", replace(DRAW, rows=n), n * 1e-3) for n in (16, 64)]
    growing = result(rows, "growth-rows", axis="rows")
    growing.write(tmp_path / "growth-rows-threads-2.json")
    assert "## Bars" in write_report(tmp_path)
    text = (tmp_path / REPORT).read_text()
    assert text == render([drawn(), growing])
    assert "| at most 1.3 times | 1.5 times | **missed** by 15% |" in text
    assert "| negsamp numba | 1.00 |" in text
    for line in text.splitlines():
        if line.startswith("!["):
            assert (tmp_path / line[line.index("(") + 1 : -1]).read_bytes()[:4] == b"\x89PNG"


def test_the_report_says_what_was_measured_where() -> None:
    here = replace(drawn(), name="uniform")
    there = replace(here, conditions=here.conditions | {"machine": "another machine"})
    assert "Measured on cpu (a machine), 8 GiB" in render([drawn(), here])
    text = render([drawn(), there])
    assert "- genni-batch: cpu (a machine), 8 GiB" in text
    assert "- uniform: another machine, 8 GiB" in text


def test_the_report_describes_cases_as_they_are_described_now() -> None:
    known, gone = drawn(), replace(drawn(), name="gone")
    text = render([known, gone])
    assert "\n\nA small batch with the paper's sizes" in text.partition("### gone")[0]
    assert "\n\nA case. Common settings: " in text.partition("### gone")[2]


def test_without_results_there_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no results; run the benchmarks first"):
        write_report(tmp_path)


def test_a_committed_report_is_what_its_files_give() -> None:
    folder = Path(__file__).parents[2] / RESULTS
    if (folder / REPORT).exists():
        assert (folder / REPORT).read_text(encoding="utf-8") == render(ordered(folder))
