"""The paper's figures, and when a figure differs from another."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negsamp_models.reproduction.claims import compared
from negsamp_models.reproduction.declarations import load_grid
from negsamp_models.reproduction.grids import Contrast
from negsamp_models.reproduction.noise import MIN_DEVIATION, MIN_FREEDOM, SeedNoise
from negsamp_models.reproduction.paper import PaperFigure, apart, paper_figure
from tests.models.reproduction.made_up import result_of


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
    assert lucky.error("HR@5", 10.0, 1) == pytest.approx(10 * MIN_DEVIATION)
    assert SeedNoise().error("validation HR@5", 10.0, 1) == pytest.approx(10 * MIN_DEVIATION)
    assert lucky.width("HR@5") == SeedNoise().width("HR@5") == 2


def test_measured_well_enough_the_noise_is_taken_as_it_is() -> None:
    for seeds, measured in ((MIN_FREEDOM, False), (MIN_FREEDOM + 1, True)):
        runs = load_grid("table2", ["Beauty"], seeds=seeds).cells[0].choices[0].runs
        noise = SeedNoise.of(result_of(r, 10 + 0.01 * (r.settings.seed % 2)) for r in runs)
        assert (noise.num_configurations, noise.freedom["HR@5"]) == (1, seeds - 1)
        assert noise.is_measured("HR@5") == measured
        assert (noise.deviation("HR@5") < 0.001) == measured
        # Student's t for ten degrees of freedom: Abramowitz and Stegun, table 26.10
        assert noise.width("HR@5") == pytest.approx(2.228 if measured else 2, abs=5e-4)


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
