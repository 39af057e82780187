"""Tables in texts are those of the committed result files."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from negsamp_models.reading import read_results
from negsamp_models.tables import METRICS, markdown, summarise

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["README.md", "docs/choosing.md"])
def test_the_table_is_what_the_files_give(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    folders = re.findall(r"<!-- results: negsamp table results/beauty/{(.*)} -->", text)[0]
    results = read_results(ROOT / "results" / "beauty" / each for each in folders.split(","))
    assert {result.sampler["sampler"] for result in results} == {"uniform", "popularity", "genni"}
    assert {result.settings["hidden_size"] for result in results} == {64}
    assert markdown(summarise(results)) in text


def test_the_table_of_two_processes_is_what_the_files_give() -> None:
    """And two are one up to the noise between seeds: within two deviations of the difference."""
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    rows = []
    for number, files in ((1, "beauty/uniform/seed?.json"), (2, "processes/*-uniform-two-*.json")):
        (row,) = summarise(read_results(sorted((ROOT / "results").glob(files))))
        cells = [f"{row.means[name]:.2f} ± {row.deviations[name]:.2f}" for name in METRICS]
        assert f"| {number} | {row.num_seeds} | {' | '.join(cells)} |" in text
        rows.append(row)
    for name in METRICS:
        one, two = ((each.means[name], each.deviations[name], each.num_seeds) for each in rows)
        noise = math.sqrt(one[1] ** 2 / one[2] + two[1] ** 2 / two[2])
        assert abs(one[0] - two[0]) <= 2 * noise
