"""The order of runs, and how long they take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from negsamp_models.files.writing import write_json
from negsamp_models.reproduction.declarations import load_grid
from negsamp_models.reproduction.order import Outlook, by_need, expected_seconds
from negsamp_models.s3rec import PretrainingRecord, PretrainingResult
from tests.models.reproduction.made_up import result_of


def test_seed_0_of_every_configuration_comes_first() -> None:
    grids = [load_grid("table2", ["Beauty"], seeds=2), load_grid("table1", ["Beauty"], seeds=2)]
    runs = by_need(grids, {})
    slugs = [(run.slug, run.settings.seed) for run in runs]
    assert slugs[:2] == [("genni-alpha2.5-beta0.1", 0), ("genni-alpha2.5-beta1", 0)]
    assert len(slugs) == len(set(slugs))
    seeds = [seed for _, seed in slugs]
    assert seeds == sorted(seeds)
    assert seeds.count(0) == 4 + 1 + 6 + 2  # table 2, uniform, what gamma is chosen from, S3-Rec
    left = Outlook.of(grids, {}, Path("nowhere"))
    assert len(left.runs) == len(runs) + 1  # and seed 1 of the gamma
    assert [each.settings.seed for each in left.pretrainings] == [0, 1]


def test_a_run_that_keeps_the_law_stands_for_the_one_that_does_not() -> None:
    grids = [load_grid("table1", ["Sports"], seeds=1), load_grid("fig9")]
    plain = [run for run in by_need(grids, {}) if run.pretraining is None]
    (run,) = [run for run in plain if run.sampler["sampler"] == "genni"]
    assert run.law is not None
    result = result_of(run, 5.0)
    left = by_need(grids, {run.key: result})
    assert [each.law for each in left if each.key == run.key] == [run.law]
    assert run.key not in {each.key for each in by_need(grids, {run.key: replace(result, law={})})}


def test_times_are_of_the_runs_most_alike() -> None:
    cells = load_grid("fig5", ["Beauty", "Toys"], seeds=2).cells
    runs = {(cell.dataset, cell.point): cell.choices[0].runs for cell in cells}
    known = result_of(runs["Beauty", 0][0], 1.0)  # one epoch: 4 s, and 1 s of validation
    slow = replace(known, epochs=[replace(known.epochs[0], training_seconds=99.0)])
    one = runs["Beauty", 0][1]
    assert expected_seconds(one, {}) is None
    assert expected_seconds(one, {"a": known}) == 5
    other = replace(slow, sampler=dict(runs["Beauty", 1][0].sampler))
    assert expected_seconds(one, {"a": known, "b": other}) == 5
    assert expected_seconds(runs["Beauty", 2][0], {"a": known, "b": other}) == (5 + 100) / 2
    assert expected_seconds(runs["Toys", 0][0], {"b": other}) == 100
    nowhere = Path("nowhere")
    outlook = Outlook.of([load_grid("fig9")], {"b": other}, nowhere)
    assert outlook.words(jobs=2) == "1 run left, about 1 min"
    assert (
        "can be estimated after the first" in Outlook.of([load_grid("fig9")], {}, nowhere).words()
    )


def test_a_run_of_another_size_tells_nothing() -> None:
    grid = load_grid("fig11")
    runs = {(cell.row, cell.point): cell.choices[0].runs[0] for cell in grid.cells}
    known = {runs["SASRec", 2].key: result_of(runs["SASRec", 2], 1.0)}  # of size 64
    assert expected_seconds(runs["GenNi_SA", 2], known) == 5
    assert expected_seconds(runs["SASRec", 0], known) is None
    outlook = Outlook.of([grid], known, Path("nowhere"))
    assert outlook.words() == "9 runs left, about 1 min + ?"
    assert Outlook.of([grid], {}, Path("nowhere")).time() == "?"


def test_what_runs_begin_with_is_expected_to_take_its_time(tmp_path: Path) -> None:
    grid = load_grid("table1", ["Toys"], seeds=1)
    runs = [run for cell in grid.cells for run in cell.left({})]
    others = [run for run in runs if run.pretraining is None]
    results = {run.key: result_of(run, 1.0) for run in others}

    def words() -> str:
        return Outlook.of([grid], results, tmp_path).words()

    (begun,) = {run.pretraining for run in runs if run.pretraining is not None}
    assert words() == "2 runs and 1 pre-training left, about 1 min + ?"
    timed = tmp_path / "pretraining" / "toys_and_games.json"
    write_json(timed, {"num_steps": 100, "seconds_per_step": 0.06})
    assert begun.expected_seconds(tmp_path) == pytest.approx(150 * 100 * 0.06)
    assert words() == "2 runs and 1 pre-training left, about 15 min"
    assert replace(begun, dataset="Yelp").expected_seconds(tmp_path) is None
    wide = replace(begun, settings=replace(begun.settings, hidden_size=128))
    assert wide.expected_seconds(tmp_path) is None
    records = [PretrainingRecord(epoch, {}, seconds, 0.0) for epoch, seconds in enumerate((8, 9))]
    made = PretrainingResult(begun.dataset, 1, 1, {}, begun.settings.decisive, records, {})
    other = replace(begun, settings=replace(begun.settings, seed=7))
    write_json(other.folder(tmp_path) / "pretraining.json", made.to_json())
    assert begun.expected_seconds(tmp_path) == 150 * 8.5
    assert wide.expected_seconds(tmp_path) is None
    write_json(begun.folder(tmp_path) / "pretraining.json", made.to_json())
    (begun.folder(tmp_path) / "pretrained.safetensors").touch()
    assert words() == "2 runs left, about 1 min"
