"""Bars are met or missed by what was measured, and every bar can be measured."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from benchmarks.cases import all_cases
from benchmarks.records import Measurement
from benchmarks.reporting.bars import Bar, Figure, all_bars
from benchmarks.reporting.tables import bars_table
from tests.benchmarks.made_up import DRAW, contender, measured, result

VALUE, OVER = Figure("genni-batch", "a"), Figure("genni-batch", "b")


def times(a: float, b: float) -> list[Measurement]:
    return [measured("a", DRAW, a), measured("b", DRAW, b)]


@pytest.mark.parametrize(
    ("a", "met", "verdict"),
    [(2.0, True, "met by 50%"), (4.0, True, "met by 0%"), (5.0, False, "**missed** by 25%")],
)
def test_a_ratio_has_to_be_at_most(a: float, met: bool, verdict: str) -> None:
    outcome = Bar("a over b", VALUE, OVER, at_most=2.0).outcome([result(times(a, 2.0))])
    assert (outcome.value, outcome.met, outcome.verdict) == (a / 2, met, verdict)


@pytest.mark.parametrize(
    ("a", "met", "verdict"),
    [(60.0, True, "met by 50%"), (40.0, True, "met by 0%"), (30.0, False, "**missed** by 25%")],
)
def test_a_ratio_has_to_be_at_least(a: float, met: bool, verdict: str) -> None:
    outcome = Bar("a over b", VALUE, OVER, at_least=20.0).outcome([result(times(a, 2.0))])
    assert (outcome.value, outcome.met, outcome.verdict) == (a / 2, met, verdict)


def test_memory_is_held_to_bytes() -> None:
    bar = Bar("memory", replace(VALUE, quantity="peak_bytes"), at_most=256e6)
    outcome = bar.outcome([result([measured("a", DRAW, peak_bytes=300_000_000)])])
    assert (bar.unit, outcome.value, outcome.met) == ("bytes", 300e6, False)
    assert "| at most 256 MB | 300 MB | **missed** by 17% |" in bars_table([outcome])


def test_the_setting_and_the_threads_choose_the_figure() -> None:
    harder = replace(DRAW, num_negatives=10)
    results = [
        result([measured("a", DRAW, 1.0)], threads=1),
        result([measured("a", DRAW, 2.0), measured("a", harder, 4.0)]),
    ]
    assert replace(VALUE, threads=1).look_up(results) == (1.0, "")
    assert replace(VALUE, setting={"num_negatives": 10}).look_up(results) == (4.0, "")


def test_without_a_figure_a_bar_is_neither_met_nor_missed() -> None:
    peer = contender("b", lambda _: pytest.fail("is not prepared"))
    missing = Measurement.without_figure(peer, DRAW, "missing", "No module named 'b'")
    outcome = Bar("a over b", VALUE, OVER, at_most=2.0).outcome(
        [result([measured("a", DRAW), missing])]
    )
    assert outcome.met is None
    assert outcome.verdict == "not measured: b is missing: No module named 'b'"
    nothing = Bar("a over b", VALUE, OVER, at_most=2.0).outcome([])
    assert nothing.verdict == "not measured: genni-batch was not run with threads = 2"


def test_a_bar_has_one_bound() -> None:
    with pytest.raises(ValueError, match="needs one of at_most and at_least"):
        _ = Bar("a", VALUE).bound
    with pytest.raises(ValueError, match="needs one of at_most and at_least"):
        _ = Bar("a", VALUE, at_most=1.0, at_least=1.0).bound


@pytest.mark.parametrize("bar", all_bars("numba"), ids=lambda bar: bar.text)
def test_every_bar_looks_at_one_line_of_one_case(bar: Bar) -> None:
    for figure in filter(None, (bar.value, bar.over)):
        found = [
            setting
            for case in all_cases("numba")
            if (case.name, case.threads) == (figure.case, figure.threads)
            for setting, each in case.pairs()
            if each.name == figure.contender and figure.setting.items() <= asdict(setting).items()
        ]
        assert len(found) == 1
        assert bar.bound > 0
