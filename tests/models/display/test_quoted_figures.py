"""Figures of paragraphs, updated from result files that a mark names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from negsamp import InvalidInputError
from negsamp_models.display.marked_tables import rewritten
from negsamp_models.display.quoted_figures import requoted
from negsamp_models.files.writing import write_json
from negsamp_models.records import ResultError
from negsamp_models.reproduction.declarations import load_grid
from tests.models.reproduction.made_up import result_of


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Return a folder with two seeds of uniform negatives and one of GenNi."""
    grid = load_grid("table1", ["Beauty"], seeds=2)
    runs = {cell.row: cell.choices[0].runs for cell in grid.cells}
    for name, row, tests in (("uniform", "SASRec", (3.0, 5.0)), ("genni", "GenNi_SA", (6.0,))):
        for run, test in zip(runs[row], tests, strict=False):
            result = result_of(run, test, validation=7.0)
            result = replace(result, test=result.test | {"NDCG@5": 1.5})
            write_json(
                tmp_path / "results" / name / f"seed{run.settings.seed}.json", result.to_json()
            )
    return tmp_path


@pytest.mark.parametrize(
    ("paragraph", "quotes", "expected"),
    [
        ("HR@5 is 1.11.", "uniform", "HR@5 is 4.00."),
        ("from 1.11 to 1.12", "min uniform | max uniform", "from 3.00 to 5.00"),
        ("gamma = 0.75: 1.11", "- | genni", "gamma = 0.75: 6.00"),
        ("NDCG@5 1.11, 1.11", "genni NDCG@5 | genni validation NDCG@10", "NDCG@5 1.50, 7.00"),
        ("if seen items are ranked 1.11", "genni ranked", "if seen items are ranked 5.00"),
        (
            "gains 11 %, or 11.1 %",
            "genni over uniform | genni over uniform",
            "gains 50 %, or 50.0 %",
        ),
        ("1.11 with 4 seeds", "uniform/seed1.json | uniform", "5.00 with 2 seeds"),
        ("with 2\nseeds", "genni", "with 1\nseed"),
        ("the mean of both: 1.11", "{genni,uniform}", "the mean of both: 4.67"),
        ("gains 11%, or 11.11%", "genni over uniform | -", "gains 50%, or 11.11%"),
        ("no 0.001, 2.5 or 12,101 but 1.11", "genni", "no 0.001, 2.5 or 12,101 but 6.00"),
    ],
)
def test_figures_follow_the_results(
    results: Path, paragraph: str, quotes: str, expected: str
) -> None:
    mark = f"<!-- quoted from results: {quotes} -->"
    for item in ("-", "*", "2."):
        text = f"Before 1.23.\n\n{item} Another 4.56 %.\n{item} {{}}\n  {{}}\n\nAfter 7.89.\n"
        assert requoted(text.format(paragraph, mark), results) == text.format(expected, mark)
    assert rewritten(text.format(expected, mark), results) == text.format(expected, mark)


def test_each_mark_is_of_the_paragraph_above_it(results: Path) -> None:
    text = (
        "One: 1.11.\n<!-- quoted from results/genni: . -->\n"
        "Two: 1.11,\n1.12.\n<!-- quoted from results: genni |\nuniform -->\n"
    )
    new = requoted(text, results)
    assert new == text.replace("One: 1.11", "One: 6.00").replace("1.11,\n1.12", "6.00,\n4.00")


@pytest.mark.parametrize(
    ("text", "quotes", "message"),
    [
        ("1.11 and 1.12", "genni", "has 2 figures, and the mark below it 1 quotes: give one for"),
        ("1.11", "genni over uniform", "1.11 cannot be quoted as 'genni over uniform'"),
        ("11 %", "genni", "11 cannot be quoted as 'genni'; a quote is"),
        ("1.11", "genni MRR", "cannot be quoted as 'genni MRR'"),
        ("1.11", "genni HR@7", "cannot be quoted as 'genni HR@7'; .* HR or NDCG @ 5, 10, 20"),
    ],
)
def test_what_cannot_be_quoted_is_refused(
    results: Path, text: str, quotes: str, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        requoted(f"{text}\n<!-- quoted from results: {quotes} -->", results)


@pytest.mark.parametrize("mark", ["quoted from results genni -->", "quoted from results: genni ->"])
def test_a_mark_that_is_not_whole_is_refused(results: Path, mark: str) -> None:
    text = f"1.11\n<!-- quoted from results: genni -->\n\n1.11\n<!-- {mark}\n"
    with pytest.raises(InvalidInputError, match="2 marks of quoted figures begin, and 1 are whole"):
        rewritten(text, results)


def test_a_run_that_is_missing_is_named(results: Path) -> None:
    with pytest.raises(ResultError, match="popularity is missing"):
        requoted("1.11\n<!-- quoted from results: popularity -->", results)
