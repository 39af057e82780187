"""The fitted exponent is that of the law."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.growth import exponent, growths
from benchmarks.tables import growth_table
from tests.benchmarks.made_up import DRAW, measured, result

VALUES = [1e3, 4e3, 1.6e4, 6.4e4]


@pytest.mark.parametrize("power", [-1.0, 0.0, 0.5, 1.0, 2.0])
def test_an_exact_power_law_gives_its_power(power: float) -> None:
    assert exponent(VALUES, [3e-7 * value**power for value in VALUES]) == pytest.approx(power)


def test_noise_of_a_tenth_moves_the_exponent_little() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, len(VALUES))
    seconds = [value**0.7 * float(np.exp(each)) for value, each in zip(VALUES, noise, strict=True)]
    assert exponent(VALUES, seconds) == pytest.approx(0.7, abs=0.1)


def test_points_are_gathered_by_axis_and_contender() -> None:
    lines = [
        measured(name, replace(DRAW, rows=rows), factor * rows**power)
        for name, factor, power in (("a", 1.0, 1.0), ("b", 5.0, 2.0))
        for rows in (64, 16, 256)
    ]
    lines.append(measured("c", DRAW))  # a single point has no slope
    threads = [result([measured("a", DRAW, 8.0 / n)], axis="threads", threads=n) for n in (1, 2, 4)]
    found = growths([result(lines, axis="rows"), *threads, result([measured("d", DRAW)])])
    assert list(found) == ["rows", "threads"]
    assert [(each.contender, each.values) for each in found["rows"]] == [
        ("a", [16, 64, 256]),
        ("b", [16, 64, 256]),
    ]
    assert [round(each.exponent, 6) for each in found["rows"]] == [1.0, 2.0]
    assert [round(each.exponent, 6) for each in found["threads"]] == [-1.0]
    assert growth_table(found).splitlines()[2:] == ["| a | 1.00 | -1.00 |", "| b | 2.00 |  |"]
