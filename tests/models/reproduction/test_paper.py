"""The paper's figures, and when a figure differs from another."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negsamp_models.reproduction.declarations import load_grid
from negsamp_models.reproduction.grids import Contrast
from negsamp_models.reproduction.page.against_paper import against_the_paper
from negsamp_models.reproduction.page.claims import compared
from negsamp_models.reproduction.page.figures import figures_of
from negsamp_models.reproduction.page.means import ASSUMED, Pool, apart, combined, error_of
from negsamp_models.reproduction.page.noise import (
    KINDS,
    MIN_DEVIATION,
    MIN_FREEDOM,
    Deviation,
    SeedNoise,
    kind_of,
)
from negsamp_models.reproduction.page.paper import PaperFigure, paper_figure
from negsamp_models.reproduction.page.report import page
from negsamp_models.reproduction.planned import PlannedRun
from tests.models.reproduction.made_up import result_of


def test_figures_of_the_paper() -> None:
    assert paper_figure("table1/Beauty/SASRec", "HR@5") == PaperFigure(3.84, 0.06)
    assert paper_figure("table1/Beauty/SASRec_pop", "HR@5") == PaperFigure(4.08, None)
    assert paper_figure("table3/Beauty/GenNi", "HR@5", 7) == PaperFigure(6.08)
    assert paper_figure("table3/Beauty/GenNi", "HR@5", 8) is None
    assert paper_figure("table2/Beauty/m 20", "HR@5") is None  # cannot be read there
    assert paper_figure("table1/Books/SASRec", "HR@5") is None


@pytest.mark.parametrize(
    ("figure", "mean", "verdict"),
    [  # Student's t for 3 and infinitely many degrees of freedom is 3.182 and 1.960
        (PaperFigure(4.0, 0.2), 4.31, "inside"),  # the deviation of four seeds, halved
        (PaperFigure(4.0, 0.2), 4.33, "above"),
        (PaperFigure(4.0, 0.2), 3.67, "below"),
        (PaperFigure(4.0), 3.89, "inside"),
        (PaperFigure(4.0), 3.87, "below"),
    ],
)
def test_the_range_is_that_of_students_t(figure: PaperFigure, mean: float, verdict: str) -> None:
    assert apart(mean, figure.mean, figure.variance) == verdict


def test_degrees_of_freedom_are_those_of_welch_and_of_a_shared_pool_once() -> None:
    few, many = Pool("few", 4), Pool("many", 10)
    # equal variances: 2**2 / (1 / 4 + 1 / 10) = 11.43 degrees of freedom, t = 2.191
    error = 2**0.5
    assert apart(5.0, 5.0 + 2.18 * error, {few: 1.0}, {many: 1.0}) == "inside"
    assert apart(5.0, 5.0 + 2.20 * error, {few: 1.0}, {many: 1.0}) == "below"
    # of one pool there are four, t = 2.776, not eight, t = 2.306
    assert apart(5.0, 5.0 + 2.77 * error, {few: 1.0}, {few: 1.0}) == "inside"
    assert apart(5.0, 5.0 - 2.78 * error, {few: 1.0}, {few: 1.0}) == "above"
    assert apart(5.0, 5.0, {}) == "inside"
    assert apart(5.0, 5.1, {}) == "below"


def test_variances_of_a_weighted_sum() -> None:
    one, other = Pool("one", 4), Pool("other", 10)
    total = combined([(0.5, {one: 4.0}), (-2.0, {other: 1.0}), (1.0, {one: 3.0})])
    assert total == {one: 4.0, other: 4.0}
    assert error_of(total) == pytest.approx(8**0.5)


GENNI, STATIC = KINDS


def test_the_noise_of_seeds_is_learnt_from_all_that_have_several() -> None:
    runs = [cell.choices[0].runs for cell in load_grid("table2", ["Beauty"], seeds=3).cells]
    made = [(runs[0][0], 9.0), (runs[0][1], 11.0), (runs[1][0], 99.0), (runs[2][2], 5.0)]
    noise = SeedNoise.of(result_of(run, test) for run, test in made)
    known = noise.measured[GENNI, "HR@5"]
    assert known.relative == pytest.approx(0.02**0.5)  # two tenths' squares, one freedom
    (pool,) = variance = noise.variance(GENNI, "HR@5", 50.0, 4)
    assert pool.freedom == 1
    assert error_of(variance) == pytest.approx(50 * 0.02**0.5 / 2)
    agreeing = [(runs[0][0], 10.0), (runs[0][1], 10.0), (runs[0][2], 10.0)]
    several = SeedNoise.of(result_of(run, test) for run, test in made[:2] + agreeing[2:])
    assert several.measured[GENNI, "HR@5"].relative == pytest.approx(0.01**0.5)  # of 9, 11 and 10
    least = {ASSUMED: pytest.approx((10 * MIN_DEVIATION) ** 2)}
    lucky = SeedNoise.of(result_of(run, test) for run, test in agreeing)
    assert lucky.variance(GENNI, "HR@5", 10.0, 1) == least
    assert SeedNoise().variance(STATIC, "validation HR@5", 10.0, 1) == least


def test_measured_well_enough_the_noise_is_taken_as_it_is() -> None:
    for seeds, measured in ((MIN_FREEDOM, False), (MIN_FREEDOM + 1, True)):
        runs = load_grid("table2", ["Beauty"], seeds=seeds).cells[0].choices[0].runs
        noise = SeedNoise.of(result_of(r, 10 + 0.01 * (r.settings.seed % 2)) for r in runs)
        known = noise.measured[GENNI, "HR@5"]
        assert (known.num_configurations, known.freedom) == (1, seeds - 1)
        used = noise.deviation(GENNI, "HR@5")
        assert (used.relative < 0.001) == (used == known) == measured


def test_each_kind_of_negatives_has_its_noise() -> None:
    grid = load_grid("table1", ["Beauty"], seeds=2)
    runs = {cell.row: cell.choices[0].runs for cell in grid.cells}
    tests = {"SASRec": (3.0, 5.0), "SASRec_pop": (3.9, 4.1), "GenNi_SA": (5.8, 6.2)}
    made = [
        result_of(run, test)
        for row, each in tests.items()
        for run, test in zip(runs[row], each, strict=True)
    ]
    noise = SeedNoise.of(made)
    static, genni = (noise.measured[kind, "HR@5"] for kind in (STATIC, GENNI))
    assert (static.num_configurations, static.freedom) == (2, 2)
    assert static.relative == pytest.approx(((2 * 0.25**2 + 2 * 0.025**2) / 2) ** 0.5)
    assert (genni.num_configurations, genni.freedom) == (1, 1)
    assert genni.relative == pytest.approx((2 * (0.2 / 6) ** 2) ** 0.5)
    figures = {
        cell.row: figures_of(grid, cell, {PlannedRun.of(each).key: each for each in made}, noise)
        for cell in grid.cells
        if cell.row in ("SASRec", "GenNi_SA")
    }
    assert figures["SASRec"]["HR@5"].error == pytest.approx(4 * static.relative / 2**0.5)
    assert figures["GenNi_SA"]["HR@5"].error == pytest.approx(6 * genni.relative / 2**0.5)
    assert kind_of({"sampler": "genni", "alpha": 0.0}) == STATIC
    assert kind_of({"sampler": "genni", "alpha": {"schedule": "loss_driven"}}) == GENNI


@pytest.mark.parametrize(("freedom", "verdicts"), [(2, 0), (3, 4)])
def test_a_noise_that_is_hardly_known_gives_no_verdict(freedom: int, verdicts: int) -> None:
    grid = load_grid("table1", ["Beauty"], seeds=1)
    cell = next(cell for cell in grid.cells if cell.row == "SASRec")
    run = cell.choices[0].runs[0]
    results = {run.key: result_of(run, 9.0)}
    metrics = result_of(run, 9.0).test
    noise = SeedNoise(
        {(kind, name): Deviation(0.05, freedom) for kind in KINDS for name in metrics}
    )
    figures = figures_of(grid, cell, results, noise)
    assert [figure.verdict for figure in figures.values()].count("above") == verdicts
    counts, _ = against_the_paper([grid], results, noise)
    assert sum(counts["Table 1"].values() if counts else [0]) == verdicts


def test_a_ranking_of_seen_items_has_its_noise() -> None:
    grid = load_grid("table1", ["Beauty", "Yelp"], seeds=2)
    cells = {cell.dataset: cell for cell in grid.cells if cell.row == "SASRec"}
    results = {}
    for dataset, ranked in (("Beauty", (1.0, 1.5)), ("Yelp", (2.0, 4.0))):
        for run, value in zip(cells[dataset].choices[0].runs, ranked, strict=True):
            each = result_of(run, 2.0)
            results[run.key] = replace(each, test_unmasked=dict.fromkeys(each.test, value))
    noise = SeedNoise.of(results.values())
    errors = [
        figures_of(grid, cells["Yelp"], results, noise, masked)["HR@5"].error
        for masked in (True, False)
    ]
    # with seen items ranked: a deviation of the root of 2, of Yelp alone
    assert errors == [pytest.approx(2 * MIN_DEVIATION / 2**0.5), pytest.approx(1.0)]
    text = page([grid], results, {})
    assert "| SASRec | 2.00 ± 0.00 ▲ | 2.00 ± 0.00 ▼ |" in text
    assert "| SASRec | 3.00 ± 1.41 | 3.00 ± 1.41 |" in text  # one degree of freedom: no mark


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
