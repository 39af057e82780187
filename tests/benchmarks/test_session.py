"""Processes measure; one that ends does not take the others with it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import application
from benchmarks.cases import Case
from benchmarks.measuring.session import IDLE_THREADS, KILLED, Session, process_with
from benchmarks.measuring.timing import Policy
from benchmarks.records import CaseResult
from benchmarks.settings import Draw

UNIFORM = Draw("uniform", 16, 100, exclude="interactions")
FEW = ("negsamp numpy", "NumPy integers")


class Deadly:
    """A setting that ends the process to which it is sent."""

    def __reduce__(self) -> tuple[Callable[[int], Any], tuple[int]]:
        return os._exit, (3,)


def run(folder: Path, *cases: Case) -> tuple[bool, list[str]]:
    told: list[str] = []
    session = Session(folder, Policy.quick(), {"backend": "numpy"}, told.append)
    return session.run(cases), told


def test_a_case_becomes_a_file(tmp_path: Path) -> None:
    whole, told = run(tmp_path, Case("uniform", "A case.", (UNIFORM,), FEW, threads=1))
    assert whole
    assert told[0].startswith("uniform-threads-1: 2 of 2 measured in ")
    result = CaseResult.read(tmp_path / "uniform-threads-1.json")
    assert [(each.contender, each.setting) for each in result.measurements] == [
        (name, UNIFORM) for name in FEW
    ]
    assert all(each.seconds and each.seconds.median > 0 for each in result.measurements)
    assert result.conditions["policy"]["most_repeats"] == 1


def test_the_others_go_on_when_a_process_ends(tmp_path: Path) -> None:
    deadly = Case("deadly", "A case.", (Deadly(),), FEW, threads=1)  # type: ignore[arg-type]
    whole, told = run(tmp_path, deadly, Case("uniform", "A case.", (UNIFORM,), FEW, threads=1))
    assert not whole
    assert told[0] == f"deadly-threads-1: {KILLED}"
    assert [path.name for path in tmp_path.iterdir()] == ["uniform-threads-1.json"]


def test_memory_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    setting = Draw("uniform", 500_000, 4_000, num_negatives=8)
    case = Case("memory", "A case.", (setting,), ("NumPy integers",), 1, measure="memory")
    assert run(tmp_path, case)[0]
    (found,) = CaseResult.read(tmp_path / "memory-threads-1.json").measurements
    assert found.peak_bytes is not None
    assert found.peak_bytes == pytest.approx(8 * 8 * 500_000, rel=0.2)


def test_a_process_has_its_threads_and_leaves_the_environment_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with process_with(3) as process:
        found = [process.submit(os.getenv, f"{name}_NUM_THREADS") for name in ("OMP", "NUMBA")]
        assert [each.result() for each in found] == ["3", "3"]
        found = [process.submit(os.getenv, name) for name in IDLE_THREADS]
        assert [each.result() for each in found] == list(IDLE_THREADS.values())
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_the_command_lists_cases_and_names_what_it_does_not_know() -> None:
    runner = CliRunner()
    listed = runner.invoke(application, ["--list", "--only", "uniform"])
    assert listed.exit_code == 0
    assert [line.partition(":")[0] for line in listed.output.splitlines()] == [
        "uniform-threads-1",
        "uniform-threads-2",
    ]
    unknown = runner.invoke(application, ["--backend", "jaks"])
    assert unknown.exit_code == 2
    assert "unknown backend 'jaks'; known: " in unknown.stderr
    unknown = runner.invoke(application, ["--only", "unifrom"])
    assert unknown.exit_code == 2
    assert "no case matches 'unifrom'" in unknown.stderr


def test_the_command_refuses_a_report_on_nothing(tmp_path: Path) -> None:
    refused = CliRunner().invoke(application, ["--report", "-o", str(tmp_path)])
    assert refused.exit_code == 2
    assert "has no results; run the benchmarks first" in refused.stderr
