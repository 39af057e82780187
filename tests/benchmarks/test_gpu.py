"""What ``make gpu`` runs, gone through without a GPU; its report takes none of that."""

from __future__ import annotations

import itertools
import json
import warnings
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import counting, parts, suite
from benchmarks.gpu.arithmetic import Rates
from benchmarks.gpu.bars import all_lines
from benchmarks.gpu.contenders import (
    ARITHMETIC,
    BY_WEIGHT,
    PRODUCT,
    contenders,
    library,
    matrix,
    replayed,
)
from benchmarks.gpu.device import Device, check_wheel
from benchmarks.gpu.draws import measure_draws
from benchmarks.gpu.epochs import CAPTURED, PACKED
from benchmarks.gpu.parts import PARTS, Run
from benchmarks.gpu.records import PartResult, TestCount
from benchmarks.gpu.report import REPORT, render, write_report
from benchmarks.problems import Problem
from benchmarks.records import Measurement, Seconds
from benchmarks.settings import Draw, Epoch
from benchmarks.work import Contender, Work
from negsamp import NegSampWarning

ROOT = Path(__file__).parents[2]
CONDITIONS = {
    "machine": "cuda (a GPU)",
    "versions": {"torch": "2.11"},
    "source": "0123456789ab",
    "clocks": {"clocks.sm": "1980"},
    "quick": False,
}
DRAW, LARGE = Draw("genni", 12_800, 12_101), Draw("genni", 12_800, 1_000_000)


def measured(contender: str, setting: Draw | Epoch, seconds: float, **more: Any) -> Measurement:
    figure = Seconds(seconds, seconds, seconds, 3)
    return Measurement(contender, "ours", setting, "measured", seconds=figure, **more)


def table_result() -> PartResult:
    uniform = Draw("uniform", 12_800, 12_101, num_negatives=100, exclude="interactions")
    return PartResult(
        "table",
        CONDITIONS,
        [
            measured(library("float32"), DRAW, 2e-4),
            measured(library("bfloat16"), DRAW, 1e-4),
            measured(matrix("float32"), DRAW, 4e-3),
            measured(matrix("bfloat16"), DRAW, 9e-4),
            measured(PRODUCT, DRAW, 5e-5),
            measured(library("bfloat16"), LARGE, 6e-3, peak_bytes=70_000_000),
            measured(BY_WEIGHT, uniform, 1e-3),
        ],
    )


def test_bars_are_held_to_what_was_measured() -> None:
    lines = all_lines(["table"], [table_result()])
    assert [line.met for line in lines] == [True, False, True, False, None, True, *3 * [None]]
    assert [line.reached for line in lines[:4]] == ["20 times", "9 times", "2 times", "70 MB"]
    assert lines[4].reached == f"not measured: {ARITHMETIC} does not take part in table"
    assert lines[5].reached == "1,280,000,000 draws/s"


def test_both_ways_to_take_steps_are_held_to_their_bars() -> None:
    uniform, genni = Epoch("Beauty", "uniform"), Epoch("Beauty", "genni")
    found = [
        measured(PACKED, uniform, 0.5),
        measured(PACKED, genni, 0.54),
        measured(CAPTURED, uniform, 0.25),
        measured(CAPTURED, genni, 0.3),
    ]
    lines = all_lines(["epochs"], [PartResult("epochs", CONDITIONS, found)])
    assert [line.met for line in lines] == [False, True, True, False]
    assert [line.bound for line in lines[:2]] == ["at most 0.3 s", "at most 1.1 times"]
    assert "as CUDA graphs" in lines[2].text


def test_tests_are_a_bar_too() -> None:
    counts = [TestCount("a.py", 7, 0, 1, 1.0), TestCount("b.py", 2, 0, 0, 1.0)]
    (line,) = all_lines(["laws"], [PartResult("laws", CONDITIONS, tests=counts)])
    assert (line.reached, line.met) == ("9 passed", True)
    counts.append(TestCount("c.py", 1, 2, 0, 1.0))
    failed = PartResult("laws", CONDITIONS, tests=counts, whole=False)
    (line,) = all_lines(["laws"], [failed])
    assert (line.reached, line.met) == ("10 passed, 2 failed, incomplete", False)


def test_arithmetic_is_the_longer_of_products_and_powers() -> None:
    assert Rates(128e9, 1e9).seconds(1000, 1000, 64) == pytest.approx(1e-3)
    assert Rates(12.8e9, 1e9).seconds(1000, 1000, 64) == pytest.approx(1e-2)
    measurements, whole = measure_draws(
        Device("cpu"), Rates(1e9, 1e9), [DRAW.quick()], float("inf"), lambda _: None
    )
    (found,) = [each for each in measurements if each.contender == ARITHMETIC]
    assert whole
    assert found.seconds is not None
    assert found.seconds.median == pytest.approx(128 * 3000 * 128 / 1e9)


def test_one_that_fails_midway_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = itertools.count()

    def fail() -> None:
        if next(calls) == 50:
            raise RuntimeError("an illegal memory access\nat all")

    def contender(name: str, run: Any) -> Contender:
        return Contender(name, "ours", ("genni",), lambda _: Work(run, lambda _: None))

    made = [contender("breaks", fail), contender("lasts", lambda: None)]
    monkeypatch.setattr("benchmarks.gpu.draws.contenders", lambda *_: made)
    monkeypatch.setattr("benchmarks.gpu.draws.SHORTEST_REPEAT", 1e-9)
    monkeypatch.setattr("benchmarks.gpu.draws.REPEATS", 60)
    (broken, whole), _ = measure_draws(
        Device("cpu"), None, [DRAW.quick()], float("inf"), lambda _: None
    )
    assert (broken.status, broken.reason) == ("failed", "RuntimeError: an illegal memory access")
    assert whole.status == "measured"


def test_a_draw_as_a_graph_is_held_to_what_a_draw_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the graph is a stand-in, and a replay leaves what its capture drew."""
    pytest.importorskip("triton", reason="Triton is not installed")
    context: Any = lambda *_, **__: nullcontext()  # noqa: E731
    monkeypatch.setattr("negsamp_torch.TorchBackend.fused", True)
    for name in ("CUDAGraph", "Stream", "current_stream"):
        monkeypatch.setattr(torch.cuda, name, Mock)
    for name in ("stream", "graph"):
        monkeypatch.setattr(torch.cuda, name, context)
    problem = Problem.of(replace(DRAW, rows=16, num_items=300))
    work = replayed(problem, lambda tensor: tensor)
    drawn = work.run()
    assert work.wrong(drawn) is None
    drawn[5] = problem.targets[5]
    assert "which row 5 excludes" in str(work.wrong(drawn))
    found = [each.name for each in contenders(Device("cuda"), None) if each.takes(DRAW)]
    assert found[-2:] == ["negsamp, float32, CUDA graph", "negsamp, bfloat16, CUDA graph"]


def test_draws_are_measured_without_the_rates_of_their_arithmetic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_: Device) -> Rates:
        raise RuntimeError("no compiler")

    told: list[str] = []
    monkeypatch.setattr(parts, "measure_rates", broken)
    monkeypatch.setattr("benchmarks.gpu.draws.SETTINGS", (DRAW,))
    result = parts.table(Run(Device("cpu"), True, float("inf"), told.append))
    assert told[0] == "arithmetic alone: failed, RuntimeError: no compiler"
    assert result.passed
    assert result.conditions["rates"] is None


def test_the_report_is_made_of_the_files_alone(tmp_path: Path) -> None:
    assert write_report(tmp_path).count("not measured") == len(all_lines(names(), []))
    result = table_result()
    result.write(tmp_path, [asdict(line) for line in all_lines(["table"], [result])])
    assert PartResult.read(tmp_path / "table.json") == result
    text = write_report(tmp_path)
    assert (tmp_path / REPORT).read_text() == text
    assert "table: measured on cuda (a GPU); torch 2.11; source 0123456789ab" in text
    assert "| at least 10 times | 9 times | **missed** |" in text
    assert "| at most 64 MB | 70 MB | **missed** |" in text
    assert "| at most 1.1 times | not measured |  |" in text


def test_a_dry_run_goes_through_draws_and_epochs_and_is_not_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--device", "cpu", "--quick", "-o", str(tmp_path), "--only", "table,epochs"]
    assert command.main(options) == 0
    assert not (tmp_path / REPORT).exists()
    statuses = {"table": ["measured"] * 9, "epochs": ["measured", "skipped"] * 3}
    for name, expected in statuses.items():
        content = json.loads((tmp_path / f"{name}.json").read_text())
        assert [each["status"] for each in content["measurements"]] == expected
        assert content["bars"] == []
        assert content["conditions"]["note"] == "a quick run on cpu, not a GPU measurement"
    assert command.main(["--report", "-o", str(tmp_path)]) == 2
    assert "is a quick run on cpu, not a GPU measurement" in capsys.readouterr().err


def test_a_dry_run_of_the_tests(tmp_path: Path) -> None:
    options = ["--device", "cpu", "--quick", "-o", str(tmp_path), "--only", "laws"]
    assert command.main(options) == 0
    content = json.loads((tmp_path / "laws.json").read_text())
    laws, stream = (TestCount(**each) for each in content["tests"])
    assert (laws.file, stream.file) == PARTS[1].files
    assert (stream.passed, stream.failed, content["whole"]) == (7, 0, True)


def test_failures_are_not_simplified_which_can_take_minutes() -> None:
    tried: list[int] = []

    def fails(number: int) -> None:
        tried.append(number)
        assert number < 100

    try:
        counting.pytest_configure()
        with pytest.raises(AssertionError):
            given(st.integers(0, 10**6))(fails)()
        first = next(number for number in tried if number >= 100)
        assert {number for number in tried if number >= 100} == {first}
    finally:
        settings.load_profile("ci")


def test_tests_that_are_cut_off_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed, pytest says nothing of the failures before."""
    bad = SimpleNamespace(
        when="call", outcome="failed", failed=True, duration=1.0, nodeid="a.py::test_a",
        location=("a.py", 0, "test_a"), longreprtext="E  AssertionError",
    )  # fmt: skip

    def run(_: Any, environment: dict[str, str], *__: Any) -> None:
        monkeypatch.setenv(counting.FILE, environment[counting.FILE])
        monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
        counting.pytest_runtest_logreport(bad)
        assert "CI" not in environment  # TensorFlow may be missing there

    told: list[str] = []
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(suite, "_run", run)
    counts, whole = suite.run_tests(["a.py"], Device("cpu"), 1.0, told.append)
    assert (counts[0].failed, whole) == (1, False)
    assert "a.py::test_a failed:\nE  AssertionError" in told


def test_a_gpu_on_which_the_kernels_do_not_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others draw the same, and only the time would tell."""

    def works_on(_: torch.device) -> bool:
        warnings.warn("Triton is not installed", NegSampWarning, stacklevel=2)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr("negsamp_torch.fused.works_on", works_on)
    assert command.main(["-o", str(tmp_path / "new")]) == 2
    told = capsys.readouterr().err
    assert "kernels do not run here, nothing measured: Triton is not installed" in told
    assert not (tmp_path / "new").exists()


def test_what_cannot_run_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for options, message in (
        ([], "no CUDA device"),
        (["--only", "tabel"], "unknown part 'tabel'; known: contract, laws, training, table"),
        (["--device", "cpu"], "--device cpu is a dry run: add --quick and --output FOLDER"),
        (["--device", "cpu", "--quick"], "a quick run must not write to results/gpu"),
    ):
        output = [] if "--quick" in options else ["-o", str(tmp_path / "new")]
        assert command.main([*options, *output]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_what_a_part_lacks_or_dies_of_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = tuple(replace(part, needs=("no_such_package",)) for part in PARTS)
    monkeypatch.setattr(command, "PARTS", lacking)
    options = ["--device", "cpu", "--quick", "-o", str(tmp_path), "--only", "laws"]
    assert command.main(options) == 1
    assert "laws: skipped; not installed: no_such_package." in capsys.readouterr().out
    monkeypatch.setattr(command, "PARTS", PARTS)
    assert command.main([*options, "--minutes", "-1"]) == 1
    assert "laws: skipped; the -1 minutes are over" in capsys.readouterr().out

    def broken(_: Run) -> PartResult:
        raise RuntimeError("an illegal memory access")

    monkeypatch.setattr(command, "PARTS", tuple(replace(part, run=broken) for part in PARTS))
    assert command.main(options) == 1
    told = capsys.readouterr().out
    assert "laws: failed, RuntimeError: an illegal memory access" in told
    assert list(tmp_path.iterdir()) == []


def test_a_wheel_of_another_checkout_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_wheel()
    monkeypatch.setattr("benchmarks.gpu.device.CHECKOUT", tmp_path)
    (tmp_path / "negsamp").mkdir()
    (tmp_path / "negsamp" / "errors.py").write_text("changed\n")
    with pytest.raises(ValueError, match="the wheel was not built from this checkout"):
        check_wheel()


def test_a_committed_report_is_what_its_files_give() -> None:
    folder = ROOT / command.RESULTS
    results = [PartResult.read(path) for path in sorted(folder.glob("*.json"))]
    assert (folder / REPORT).read_text(encoding="utf-8") == render(results)
    for result in results:
        stored = json.loads((folder / f"{result.part}.json").read_text(encoding="utf-8"))["bars"]
        assert stored == [asdict(line) for line in all_lines([result.part], [result])]


def names() -> list[str]:
    return [part.name for part in PARTS]
