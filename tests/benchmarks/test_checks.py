"""Wrong draws and wrong scores are found."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.checks import wrong_draws, wrong_scores
from benchmarks.problems import Problem
from benchmarks.settings import Draw


@pytest.fixture
def problem() -> Problem:
    return Problem.of(Draw("uniform", 32, 100, num_negatives=2, exclude="interactions"))


def right_draws(problem: Problem) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return for each row the two lowest ids that it does not exclude."""
    rows, excluded = problem.excluded
    everything = range(1, 101)
    return np.array(
        [sorted(set(everything) - set(excluded[rows == row].tolist()))[:2] for row in range(32)]
    )


def test_right_draws_pass(problem: Problem) -> None:
    assert wrong_draws(problem, right_draws(problem)) is None


def test_each_excluded_id_is_found(problem: Problem) -> None:
    rows, excluded = problem.excluded
    assert len(rows) > 5 * 32
    assert {(row, item) for row, item in enumerate(problem.targets.tolist())} <= set(
        zip(rows.tolist(), excluded.tolist(), strict=True)
    )
    for row, item in zip(rows, excluded, strict=True):
        drawn = right_draws(problem)
        drawn[row, 1] = item
        assert wrong_draws(problem, drawn) == f"drew id {item}, which row {row} excludes"
        assert wrong_draws(problem, drawn, excludes=False) is None


@pytest.mark.parametrize("item", [0, 101, -1])
def test_ids_outside_the_catalogue_are_found(problem: Problem, item: int) -> None:
    drawn = right_draws(problem)
    drawn[3, 0] = item
    assert wrong_draws(problem, drawn) == f"drew id {item}, outside range(1, 101)"


def test_other_shapes_and_types_are_found(problem: Problem) -> None:
    drawn = right_draws(problem)
    assert "of shape (32, 1)" in str(wrong_draws(problem, drawn[:, :1]))
    assert "drew float64" in str(wrong_draws(problem, drawn.astype(float)))


def test_scores_are_those_of_the_last_query() -> None:
    problem = Problem.of(Draw("genni", 8, 50, dim=4))
    scores = problem.queries @ problem.items[1:].T
    assert wrong_scores(problem, scores) is None
    assert wrong_scores(problem, scores[::-1]) is not None
    assert wrong_scores(problem, scores[:, :-1]) == "scored 49 items, not 50"


def test_the_same_setting_gives_the_same_inputs() -> None:
    setting = Draw("genni", 8, 50, dim=4)
    first, second = Problem.of(setting), Problem.of(setting)
    assert np.array_equal(first.queries, second.queries)
    assert np.array_equal(first.targets, second.targets)
    assert np.array_equal(first.head(3).queries, first.queries[:3])
