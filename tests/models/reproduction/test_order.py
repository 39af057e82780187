"""The order of runs, and how long they take."""

from __future__ import annotations

from dataclasses import replace

from negsamp_models.reproduction.declarations import load_grid
from negsamp_models.reproduction.order import Outlook, by_need, expected_seconds
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
    assert len(Outlook.of(grids, {}).runs) == len(runs) + 1  # and seed 1 of the gamma


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
    outlook = Outlook.of([load_grid("fig9")], {"b": other})
    assert outlook.words(jobs=2) == "1 run left, about 1 min"
    assert "known after the first" in Outlook.of([load_grid("fig9")], {}).words()
