"""The cost of pre-training: measured for real, and told on the page of S3-Rec."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import pretraining

ROOT = Path(__file__).parents[2]


def test_the_page_has_the_table_of_the_files() -> None:
    files = sorted((ROOT / "results" / "pretraining").glob("*.json"))
    results = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    assert len(results) == 4
    assert pretraining.table(results) in (ROOT / "docs" / "s3rec.md").read_text(encoding="utf-8")


def test_a_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining, "NUM_BATCHES", 2)
    monkeypatch.setattr(pretraining, "NUM_PASSES", 1)
    result = pretraining.measure("synthetic")
    assert result["num_steps"] == -(-result["num_samples"] // 100)
    assert 0.01 < result["gigaflop_per_step"] < 5
    assert 0 < result["seconds_per_step"] < 10
    assert 0 < result["share_of_products"] < 1
    line = pretraining.table([result | {"seconds_per_step": 0.1, "share_of_products": 0.5}])
    hours = 0.1 * result["num_steps"] * 150 / 3600
    assert line.splitlines()[2].endswith(f"| 150 | {hours:.1f} | 50% |")
