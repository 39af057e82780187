"""Texts: tables are those of the committed result files, and loops run as they are shown."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from negsamp_models.display.marked_tables import rewritten
from negsamp_models.display.tables import METRICS, summarise
from negsamp_models.losses import nce_loss
from negsamp_models.records.reading import read_results

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["README.md", "docs/choosing.md"])
def test_the_table_is_what_the_files_give(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert rewritten(text, ROOT) == text
    (marked,) = re.findall(
        r"<!-- results: negsamp table --no-times results/beauty/{(.*)} -->", text
    )
    results = read_results(ROOT / "results" / "beauty" / each for each in marked.split(","))
    assert {result.sampler["sampler"] for result in results} == {"uniform", "popularity", "genni"}
    assert {result.settings["hidden_size"] for result in results} == {64}


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


def names_of_a_loop(num_items: int) -> dict[str, Any]:
    """Return what the loops take for granted: padded batches of users of ten items, and a model."""
    generator = torch.Generator().manual_seed(0)
    table = torch.nn.Embedding(num_items + 1, 8, padding_idx=0)
    histories = [torch.randperm(num_items, generator=generator)[:10] + 1 for _ in range(40)]
    batches = []
    for first in range(0, 40, 20):
        sequences = torch.stack(histories[first : first + 20])
        inputs, targets = sequences[:, :-1].clone(), sequences[:, 1:].clone()
        inputs[::3, :4] = targets[::3, :4] = 0
        batches.append((inputs, targets, torch.arange(first, first + 20)))
    return {
        "num_items": num_items,
        "train_sequences": [each.tolist() for each in histories],
        "epochs": 2,
        "num_epochs": 2,
        "encoder": table,
        "item_embeddings": table.weight,
        "optimizer": torch.optim.SGD(table.parameters(), lr=0.0),
        "loader": batches,
    }


@pytest.mark.parametrize("num_items", [100, 1000])
@pytest.mark.parametrize("name", ["README.md", "docs/index.md"])
def test_the_loop_runs_and_leaves_padding_out(name: str, num_items: int) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (loop,) = (each for each in blocks if "loader" in each)
    names = names_of_a_loop(num_items)
    if name == "docs/index.md":
        names["loader"] = [batch[:2] for batch in names["loader"]]
    exec(loop, names)  # noqa: S102
    targets, negatives = names["targets"], names["negatives"]
    assert negatives.item_ids.shape == (20, 9, 1)
    assert bool((negatives.item_ids[..., 0] == 0).eq(targets == 0).all())
    assert names["sampler"].state_dict()["call"] == 4
    rows = targets != 0
    kept = nce_loss(
        names["queries"][rows],
        names["item_embeddings"],
        targets[rows],
        type(negatives)(*(each[rows] for each in negatives)),
    )
    assert names["loss"].item() == pytest.approx(kept.item(), rel=1e-6)
