"""The fitted exponent is that of the law."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.records import Measurement
from benchmarks.reporting.growth import exponent, growths
from benchmarks.reporting.growth_words import growth_words
from benchmarks.reporting.tables import growth_table
from benchmarks.work import Role
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


def test_the_points_at_which_a_peer_is_faster_are_named() -> None:
    def line(name: str, role: Role, *seconds: float) -> list[Measurement]:
        return [
            measured(name, replace(DRAW, num_negatives=k), each, role=role)
            for k, each in zip((1, 16, 256), seconds, strict=True)
        ]

    lines = [*line("a", "ours", 1.0, 3.0, 9.0), *line("b", "ours", 1.0, 1.0, 2.5)]
    peer = line("p", "peer", 2.0, 2.0, 3.0)
    assert growth_words(growths([result(lines + peer, axis="num_negatives")])) == [
        "- Negatives a row, k: from 1 to 256 the time of a call is multiplied by 9 for a, by 2.5 "
        "for b, by 1.5 for p.",
        "  - p is faster than a at k = 16 (1.5 times), 256 (3 times).",
    ]
    for part, ends in ((peer[:2], "1 to 16"), (peer[1:], "16 to 256")):
        short = growth_words(growths([result([*part, *lines], axis="num_negatives")]))
        factor = part[-1].seconds.median / part[0].seconds.median  # type: ignore[union-attr]
        assert short[0] == (
            "- Negatives a row, k: from 1 to 256 the time of a call is multiplied by "
            f"{factor:g} for p (from {ends}), by 9 for a, by 2.5 for b."
        )
    slow = line("p", "peer", 20.0, 20.0, 30.0)
    (_, said) = growth_words(growths([result(lines + slow, axis="num_negatives")]))
    assert said == "  - No peer is faster at any point."
    alone = growth_words(growths([result(lines, axis="num_negatives")]))
    assert len(alone) == 1
