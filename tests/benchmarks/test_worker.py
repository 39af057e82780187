"""Who cannot be measured is kept with the reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.cases import Case
from benchmarks.contenders import CONTENDERS
from benchmarks.measuring import worker
from benchmarks.measuring.timing import Policy
from benchmarks.settings import Draw, Epoch, Law
from benchmarks.work import Contender, NotMeasuredError, Work
from tests.benchmarks.made_up import contender

SETTING = Draw("uniform", 8, 50)


@pytest.fixture
def contenders(monkeypatch: pytest.MonkeyPatch) -> list[Contender]:
    """Those who take part in every case."""
    everyone: list[Contender] = []
    monkeypatch.setattr(
        Case, "pairs", lambda self: [(s, each) for s in self.settings for each in everyone]
    )
    return everyone


def raising(error: Exception) -> Callable[[object], Work]:
    def prepare(_: object) -> Work:
        raise error

    return prepare


HONEST = Work(lambda: np.zeros(8), lambda _: None)
WRONG = Work(lambda: 1, lambda made: f"made {made}")


def test_reasons_stand_where_figures_are_missing(
    contenders: list[Contender], policy: Policy
) -> None:
    contenders += [
        contender("not installed", raising(ImportError("No module named 'peer'"))),
        contender("honest", lambda _: HONEST),
        contender("unable", raising(NotMeasuredError("cannot take part"))),
        contender("broken", raising(KeyError("x"))),
        contender("wrong", lambda _: WRONG),
    ]
    found = worker.measure_times(Case("case", "", (SETTING,)), policy)
    assert [(each.contender, each.status, each.reason) for each in found] == [
        ("not installed", "missing", "No module named 'peer'"),
        ("honest", "measured", ""),
        ("unable", "skipped", "cannot take part"),
        ("broken", "failed", "KeyError: 'x'"),
        ("wrong", "wrong", "made 1"),
    ]


def test_a_matrix_that_is_too_large_is_not_made(
    contenders: list[Contender], policy: Policy
) -> None:
    holder = contender("naive", lambda _: pytest.fail("is not prepared"), holds_scores=True)
    contenders.append(holder)
    large = Draw("genni", 12_800, 1_000_000)
    (found,) = worker.measure_times(Case("case", "", (large,)), policy)
    assert (found.status, found.reason) == ("skipped", "needs 51.2 GB for its scores")
    assert worker.measure_memory(holder, large, policy) == found


def test_a_call_that_would_take_too_long_is_not_made(
    contenders: list[Contender], policy: Policy
) -> None:
    contenders.append(contender("honest", lambda _: HONEST))
    setting = replace(SETTING, rows=128 * 1_000)
    (found,) = worker.measure_times(
        Case("case", "", (setting,)), replace(policy, longest_call=1e-9)
    )
    assert found.status == "skipped"
    assert found.reason.startswith("a call would take about ")


@pytest.mark.parametrize(
    ("law", "name"),
    [
        ("genni", "negsamp numpy"),
        ("genni", "NumPy product, out reused"),
        ("genni", "NumPy product, fresh"),
        ("genni", "torch softmax + multinomial"),
        ("genni", "torch cumsum + searchsorted"),
        ("uniform", "negsamp numpy"),
        ("uniform", "NumPy integers"),
        ("popularity", "negsamp numpy"),
        ("popularity", "NumPy random + searchsorted"),
    ],
)
def test_who_is_installed_here_passes_the_checks(
    contenders: list[Contender], policy: Policy, law: Law, name: str
) -> None:
    contenders += [each for each in CONTENDERS if each.name == name and law in each.laws]
    for beta in (1.0, 0.5):
        setting = replace(SETTING, law=law, beta=beta)
        (found,) = worker.measure_times(Case("case", "", (setting,)), policy)
        assert (found.status, found.reason) == ("measured", "")


@pytest.mark.parametrize("law", ["uniform", "popularity", "genni"])
def test_an_epoch_is_timed_without_its_validation(
    contenders: list[Contender], policy: Policy, law: Law
) -> None:
    contenders += [
        each for each in CONTENDERS if each.name == "negsamp torch" and "epoch" in each.laws
    ]
    started = time.perf_counter()
    (found,) = worker.measure_times(Case("case", "", (Epoch("tiny", law),)), policy)
    assert (found.status, found.reason) == ("measured", "")
    assert found.seconds is not None
    assert 0 < found.seconds.max < time.perf_counter() - started


def test_data_that_are_not_here_are_not_downloaded(
    contenders: list[Contender], policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEGSAMP_DATA", raising=False)
    contenders += [
        each for each in CONTENDERS if each.name == "negsamp torch" and "epoch" in each.laws
    ]
    (found,) = worker.measure_times(Case("case", "", (Epoch("Beauty", "uniform"),)), policy)
    assert (found.status, found.reason) == (
        "skipped",
        "set NEGSAMP_DATA to the folder of Beauty.txt",
    )
