"""The cases are those that were promised, each once."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product
from typing import Literal

import pytest

from benchmarks.cases import Case, all_cases, select
from benchmarks.contenders import CONTENDERS, taking_part
from benchmarks.settings import Draw, Epoch

CASES = all_cases("numba")
EXCLUDED: tuple[Literal["target", "interactions"], ...] = ("target", "interactions")


def named(name: str, threads: int = 2) -> Case:
    (case,) = [case for case in CASES if (case.name, case.threads) == (name, threads)]
    return case


def test_each_result_file_has_one_case() -> None:
    assert len({case.key for case in CASES}) == len(CASES)


def test_the_grid_is_whole() -> None:
    sizes = product((1_500, 12_800), (12_101, 100_000, 1_000_000), (64, 256))
    kinds = list(product((1.0, 0.1), (1, 10)))
    grid = {
        Draw("genni", *size, *kind, exclude=exclude)
        for size in sizes
        for kind in kinds
        for exclude in EXCLUDED
    }
    assert set(named("genni-grid").settings) == grid
    assert len(grid) == 96


def test_each_setting_of_a_draw_has_its_reference() -> None:
    for case in CASES:
        for setting in case.settings:
            if case.measure == "time" and isinstance(setting, Draw):
                first = replace(setting, num_negatives=1, exclude="target")
                if setting.law == "genni":
                    assert first in case.settings
                else:
                    first = setting
                assert any(each.role == "reference" for each in taking_part(first, case.contenders))


@pytest.mark.parametrize(
    ("case", "peers"),
    [
        ("genni-batch", {"torch softmax + multinomial", "torch cumsum + searchsorted"}),
        ("genni-batch", {"TensorFlow categorical", "NumPy product, out reused"}),
        ("uniform", {"RecBole uniform", "PyKEEN, Bloom filter", "PyKEEN, Python set"}),
        ("popularity", {"RecBole popularity", "implicit BPR"}),
        ("memory", {"torch softmax + multinomial", "TensorFlow categorical"}),
    ],
)
def test_the_peers_take_part(case: str, peers: set[str]) -> None:
    assert peers < {contender.name for _, contender in named(case).pairs()}


def test_contenders_that_cases_name_exist() -> None:
    known = {each.name for each in CONTENDERS} | {each.role for each in CONTENDERS}
    assert {name for case in CASES for name in case.contenders} <= known


def test_the_backend_is_a_parameter() -> None:
    (grid,) = [case for case in all_cases("torch") if case.name == "genni-grid"]
    assert {each.name for _, each in grid.pairs()} == {
        "negsamp torch",
        "NumPy product, out reused",
    }


def test_settings_of_the_same_inputs_stand_together() -> None:
    for case in CASES:
        inputs = [setting.inputs for setting in case.settings]
        changes = sum(a != b for a, b in pairwise(inputs))
        assert changes == len(set(inputs)) - 1


def test_epochs_are_those_of_each_sampler() -> None:
    assert set(named("epoch-beauty").settings) == {
        Epoch("Beauty", "uniform"),
        Epoch("Beauty", "popularity"),
        Epoch("Beauty", "genni", 1.0),
        Epoch("Beauty", "genni", 0.1),
    }


def test_quick_settings_are_small_and_all_kinds_stay() -> None:
    quick = named("genni-batch").quick()
    assert quick.threads == 1
    assert len(quick.settings) == len(named("genni-batch").settings)
    assert all(isinstance(each, Draw) and each.rows <= 128 for each in quick.settings)


def test_patterns_choose_cases() -> None:
    assert {case.name for case in select(CASES, ["genni-*"])} == {
        "genni-batch",
        "genni-sizes",
        "genni-grid",
    }
    assert select(CASES, ["uniform-threads-1"]) == [named("uniform", 1)]
    assert select(CASES, []) == CASES
    with pytest.raises(ValueError, match="no case matches 'gennie'; cases: genni-batch, "):
        select(CASES, ["gennie"])
