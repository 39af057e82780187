"""Texts: tables are those of the committed result files, and loops run as they are shown."""

from __future__ import annotations

import math
import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy import stats

from negsamp_models.display.marked_tables import rewritten
from negsamp_models.display.quoted_figures import FIGURE, MARK
from negsamp_models.display.tables import METRICS, summarise
from negsamp_models.losses import nce_loss
from negsamp_models.records.reading import read_results
from negsamp_models.reproduction import page
from negsamp_models.reproduction.declarations import grid_names, load_grid
from negsamp_models.reproduction.metrics import seconds_per_epoch
from negsamp_models.reproduction.page.glance import AVERAGE, corrected
from negsamp_models.reproduction.page.noise import KINDS, SeedNoise
from negsamp_models.reproduction.page.paper import paper_figure
from negsamp_models.reproduction.page.summary import checked
from negsamp_models.reproduction.running import results_below
from negsamp_models.reproduction.seeds import results_asked_for, with_all_seeds

ROOT = Path(__file__).parents[2]
GRIDS = [load_grid(name) for name in grid_names()]


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


@pytest.mark.parametrize("name", ["README.md", "docs/choosing.md"])
def test_figures_are_the_papers_or_below_a_mark(name: str) -> None:
    """Or guarded by a test of its own, below."""
    text = (ROOT / name).read_text(encoding="utf-8")
    text = re.sub(r"```.*?```|<!-- results.*?<!-- end of results -->", "", text, flags=re.DOTALL)
    paper = resources.files(page).joinpath("paper.toml").read_text(encoding="utf-8")
    known = {f"{float(each):.2f}" for each in re.findall(r"= (\d+\.\d+)", paper)}
    known |= {"0.25", "0.75", "3.11"}  # two gammas, and a version of Python
    for paragraph in re.split(r"\n\s*\n|\n(?=- )", text):
        figures = {found[0] for found in FIGURE.finditer(paragraph)}
        if "Between seeds HR@5 varies" not in paragraph and not MARK.search(paragraph):
            assert figures <= known, paragraph


def test_noise_is_as_quoted() -> None:
    noise = SeedNoise.of(results_asked_for(GRIDS, results_below(ROOT / "results")).values())
    known = [noise.deviation(kind, "HR@5") for kind in KINDS]
    one, two = (100 * each.relative for each in known)
    width, other = (
        100 * each.relative * math.sqrt(2) * stats.t.ppf(0.975, each.freedom) for each in known
    )
    text = (ROOT / "docs" / "choosing.md").read_text(encoding="utf-8")
    assert (
        f"Between seeds HR@5 varies by some {one:.0f} % with GenNi, and {two:.0f} % with uniform "
        "negatives and popularity (one standard deviation), so that single runs within "
        f"{width:.0f} % or {other:.0f} % of each other"
    ) in " ".join(text.split())


def test_times_are_as_quoted() -> None:
    def slower(dataset: str, name: str, beta: str, alpha: str = "2.5") -> tuple[float, float]:
        """Return the time of an epoch with GenNi relative to one without, here and in the paper."""
        ours = [seconds(dataset, f"genni-alpha{alpha}-beta{beta}"), seconds(dataset, "uniform")]
        theirs = [
            figure.mean
            for row in (f"GenNi_SA beta {beta}", "SASRec")
            if (figure := paper_figure(f"table5/{name}/{row}", "s/epoch"))
        ]
        return ours[0] / ours[1], theirs[0] / theirs[1]

    def seconds(dataset: str, slug: str) -> float:
        return seconds_per_epoch(read_results([ROOT / f"results/{dataset}/{slug}/seed0.json"])[0])

    whole, tenth = (slower("beauty", "Beauty", beta) for beta in ("1", "0.1"))
    others = [
        slower("toys_and_games", "Toys", "1"),
        slower("sports_and_outdoors", "Sports", "1"),
        slower("yelp", "Yelp", "1", alpha="4.4"),
    ]
    ours, theirs = (f"{min(each):.1f} to {max(each):.1f}" for each in zip(*others, strict=True))
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert (
        f"takes {whole[0]:.1f} times as long as one with uniform negatives on Beauty "
        f"({whole[1]:.1f} times in the paper, on a GPU), and {ours} times on the other three data "
        f"sets ({theirs}); at beta = 0.1 it takes {tenth[0]:.1f} times as long on Beauty "
        f"({tenth[1]:.1f})."
    ) in text
    own, shared, full, small = (
        f"{seconds('beauty', f'genni-alpha2.5-beta{beta}'):.1f} s"
        for beta in ("0.1-query", "0.1", "1", "0.01-query")
    )
    text = " ".join((ROOT / "docs" / "choosing.md").read_text(encoding="utf-8").split())
    assert f"took {own}, against {shared} with a shared one and {full} at beta = 1" in text
    assert f"it is cheap as well, with {small} at 0.01" in text


def test_the_claims_that_do_not_hold_are_those_that_are_named() -> None:
    """A sentence of the README does, and says that none outlasts a correction for their number."""
    results = results_asked_for(GRIDS, results_below(ROOT / "results"))
    noise = SeedNoise.of(results.values())
    grids = with_all_seeds(GRIDS, results)
    entries, _ = checked(grids, results, noise)
    found = {(entry.claim, entry.dataset) for entry in entries if entry.outcome == "does not hold"}
    assert found == {
        ("Table 1: average gain of GenNi over uniform negatives", AVERAGE),
        ("Table 1: popularity is slightly better than uniform", "Yelp"),
        ("Figure 5: alpha 2.5 is best on Beauty", "Beauty"),
    }
    kept = zip(entries, corrected(entries), strict=True)
    assert not any(is_kept for entry, is_kept in kept if (entry.claim, entry.dataset) in found)
    cells = [cell for grid in grids for cell in grid.cells]
    left = {run.key for cell in cells for run in cell.left(results)}
    made = {run.key for cell in cells for run in cell.runs if run.key in results} - left
    assert 0.4 < len(made) / (len(made) + len(left)) < 0.6  # "about half of the runs"


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
