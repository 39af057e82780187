"""Times of epochs on the page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from negsamp_models.records import RunResult
from negsamp_models.reproduction.declarations import load_grid
from negsamp_models.reproduction.metrics import seconds_per_epoch
from negsamp_models.reproduction.page.report import page
from negsamp_models.reproduction.page.seconds import disturbance
from tests.models.reproduction.made_up import result_of


def timed(result: RunResult, *seconds: float, **about: str) -> RunResult:
    epochs = [replace(result.epochs[0], training_seconds=each) for each in seconds]
    return replace(result, epochs=epochs, environment=result.environment | about)


def test_times_name_their_device() -> None:
    grid = load_grid("table5", ["Beauty"])
    runs = {cell.row: cell.choices[0].runs[0] for cell in grid.cells}
    first, other = runs["SASRec"], runs["GenNi_SA beta 0.1"]
    base = {first.key: timed(result_of(first, 5.0), 4.0, source="a")}
    slow = timed(result_of(other, 5.0), 10.0, source="a")
    text = page([grid], base | {other.key: slow}, {})
    assert "| SASRec | 4.00 | 5.00 ▲ | 1 |" in text
    assert "All on cpu (test), 2 threads, torch 2, code a." in text
    assert "- Beauty, relative to SASRec: GenNi_SA beta 0.1 2.50 (paper 1.01)." in text
    for about in ({"device": "cuda (test)"}, {"source": "b"}):
        elsewhere = timed(slow, 10.0, **about)
        both = page([grid], base | {other.key: elsewhere}, {})
        assert "Beauty GenNi_SA beta 0.1: timed with other code or on another device" in both
        assert "relative to SASRec" not in both
        device, code = about.get("device", "cpu (test)"), about.get("source", "a")
        place = f"On {device}, 2 threads, torch 2, code {code}"
        assert f"- {place}: Beauty GenNi_SA beta 0.1." in both


def test_a_row_that_was_timed_elsewhere_leaves_the_ratios_of_the_others() -> None:
    grid = load_grid("table5", ["Toys"])
    runs = {cell.row: cell.choices[0].runs[0] for cell in grid.cells}
    results = {
        run.key: timed(result_of(run, 5.0), 4.0, source="b" if "0.1" in row else "a")
        for row, run in runs.items()
    }
    text = page([grid], results, {})
    assert "- Toys, relative to SASRec: GenNi_SA beta 1 1.00 (paper 1.50)." in text
    assert "Toys GenNi_SA beta 0.1: timed with other code" in text


def test_times_are_of_undisturbed_epochs_of_the_first_seed() -> None:
    grid = load_grid("table5", ["Beauty"], seeds=2)
    cell = next(cell for cell in grid.cells if cell.row == "SASRec")
    one, other = cell.choices[0].runs
    busy = timed(result_of(one, 5.0), *[2.0] * 3, *[6.0] * 8)  # busy for most of the run
    assert seconds_per_epoch(busy) == pytest.approx(2.0)
    assert disturbance(busy) == pytest.approx(3.0)
    text = page([grid], {one.key: busy, other.key: timed(result_of(other, 5.0), 9.0)}, {})
    assert "| SASRec | 2.00 | 5.00 ± 0.00 ▲ | 2 |" in text
    assert "so that even the 10th may be too long: Beauty SASRec (3.00)." in text
    quiet = page([grid], {one.key: timed(busy, 2.0, 2.5)}, {})
    assert "too long" not in quiet
