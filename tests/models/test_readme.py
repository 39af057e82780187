"""The README's figures are those of the committed result files."""

from __future__ import annotations

import re
from pathlib import Path

from negsamp_models.tables import markdown, read_results, summarise

ROOT = Path(__file__).parents[2]


def test_the_table_is_what_the_files_give() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    folders = re.findall(r"<!-- results: negsamp table results/beauty/{(.*)} -->", readme)[0]
    results = read_results(ROOT / "results" / "beauty" / name for name in folders.split(","))
    assert {result.sampler["sampler"] for result in results} == {"uniform", "popularity", "genni"}
    assert {result.settings["hidden_size"] for result in results} == {64}
    assert markdown(summarise(results)) in readme
