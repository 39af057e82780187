"""The page that result files give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from negsamp_models.display.tables import markdown, summarise
from negsamp_models.files.writing import write_json
from negsamp_models.law.study import LawStage, LawStudy
from negsamp_models.records.run_key import key_of
from negsamp_models.reproduction.declarations import grid_names, load_grid
from negsamp_models.reproduction.grids import Contrast, Grid
from negsamp_models.reproduction.page.claims import claims, compared
from negsamp_models.reproduction.page.noise import KINDS, Deviation, SeedNoise
from negsamp_models.reproduction.page.report import page
from negsamp_models.reproduction.replaced import keep_replaced, replaced_below
from negsamp_models.reproduction.seeds import results_asked_for
from tests.models.reproduction.made_up import result_of


def test_the_page_says_how_many_versions_of_the_code_made_the_runs() -> None:
    grid = load_grid("table1", ["Beauty"], seeds=2)
    runs = [run for cell in grid.cells for run in cell.runs][:3]
    results = {run.key: result_of(run, 3.8) for run in runs}
    for key, source in zip(results, ["a", "b", ""], strict=True):
        about = {"source": source} if source else {}
        results[key] = replace(results[key], environment=results[key].environment | about)
    text = page([grid], results, {})
    assert (
        "2 versions of the code made them (`source` in the files; 1 older file without it" in text
    )


def test_the_page_says_how_far_losses_drove_alpha() -> None:
    grid = load_grid("fig8", ["Beauty"])
    (cell,) = [each for each in grid.cells if (each.row, each.point) == ("loss-driven", 3)]
    (run,) = cell.choices[0].runs
    result = result_of(run, 5.0)
    assert "The range of alpha" not in page([grid], {run.key: result}, {})
    epochs = [replace(result.epochs[0], epoch=i, alpha=a) for i, a in enumerate([4.1, 2.6, 3.0])]
    text = page([grid], {run.key: replace(result, epochs=epochs)}, {})
    assert "ends of epochs, seed 0: loss-driven, from 4: 2.60 to 4.10.\n" in text


def test_runs_of_no_table_are_not_on_the_page() -> None:
    grid = load_grid("table1", ["Beauty"], seeds=1)
    run = grid.cells[0].choices[0].runs[0]
    capped = replace(run, settings=replace(run.settings, max_epochs=1))
    results = {each.key: result_of(each, 3.8) for each in (run, capped)}
    text = page([grid], results, {})
    assert "Stopped by the limit" not in text
    assert text == page([grid], {run.key: results[run.key]}, {})
    assert "Stopped by the limit" in page([load_grid("table1", max_epochs=1)], results, {})


def test_claims_about_the_base_models_and_a_tenth_of_the_catalogue_are_tested() -> None:
    found = {each.contrast.claim for name in grid_names() for each in claims(load_grid(name), {})}
    assert "S3-Rec is better than SASRec on most data sets, all but Toys" in found
    assert "with a tenth of the catalogue, GenNi still outperforms uniform negatives" in found


def small_grid() -> Grid:
    return load_grid("table1", ["Beauty", "Yelp"], seeds=2)


def test_a_run_from_another_pretraining_moves_no_noise() -> None:
    run = load_grid("table1", ["Beauty"]).cells[3].choices[0].runs[0]
    assert run.pretraining is not None
    begun = run.pretraining.identity
    results = {}
    for change in ({}, {"batch_size": 7}, {"seed": 9}):
        each = replace(result_of(run, 5.0), pretraining=begun | change)
        results[key_of(each.dataset, each.sampler, each.settings, each.pretraining)] = each
    assert len(results) == 3
    assert results_asked_for([load_grid("table1")], results).keys() == {run.key}


def test_the_page_says_first_what_falls_short() -> None:
    grid = small_grid()
    runs = {(cell.dataset, cell.row): cell.choices[0].runs for cell in grid.cells if cell.choices}
    sasrec, genni = runs["Beauty", "SASRec"], runs["Beauty", "GenNi_SA"]
    yelp = runs["Yelp", "SASRec"]
    made = [(sasrec[0], 3.8), (sasrec[1], 3.9), (genni[0], 2.0), (yelp[0], 1.7)]
    text = page([grid], {run.key: result_of(run, test) for run, test in made}, {})
    summary, _, rest = text.partition("## The paper's tables")
    assert "- Runs: 4 finished and 26 missing." in summary  # of six gammas one is run twice
    assert "- Table 1, Beauty, GenNi_SA, 1 seed: HR@5 2.00 (6.30), HR@10 2.00 (8.79)," in summary
    assert "the paper, % | Beauty | Yelp, seen items masked | Yelp, seen items ranked |" in summary
    assert "| GenNi_SA | -65.8 | - | - |" in summary
    assert (
        "- Beauty: GenNi_SA gains -1.85 (-48 %) over SASRec in HR@5; in the paper +2.46 (+64 %)"
        in summary
    )
    assert "- Table 1, Beauty, SASRec, 2 seeds: NDCG@5 3.85 (2.49), NDCG@10 3.85" in summary
    assert summary.index("Below the paper") < summary.index("Above the paper")
    assert "HR@5 3.85 (3.84)" not in summary  # inside
    assert (
        "do not hold here:\n\n- GenNi outperforms uniform negatives (Table 1, Beauty): GenNi_SA "
        "against SASRec: HR@5 2.00 against 3.85, worse (1 and 2 seeds)" in summary
    )
    assert "| SASRec | 3.85 ± 0.07 ● |" in rest
    assert "| *paper* | *3.84 ± 0.06* |" in rest
    assert "| GenNi_SA | 2.00 ▼ |" in rest
    assert "| SASRec_pop | - | - | - | - | 0 |" in rest
    assert "SASRec_pop: validation selected nothing yet: runs are missing" in rest
    masked, ranked = rest.index("| Yelp, seen items masked |"), rest.index("seen items ranked |")
    assert "| SASRec | 1.70 ● |" in rest[masked:ranked]
    assert "| SASRec | 2.70 ▲ |" in rest[ranked:]


@pytest.mark.parametrize(
    ("expected", "ours", "outcome"),
    [
        ("above", 5.0, "holds"),
        ("above", 4.05, "undecided"),
        ("above", 3.0, "does not hold"),
        ("not above", 5.0, "does not hold"),
        ("not above", 4.05, "undecided"),  # noise hides 5 % more as well
        ("not above", 3.7, "holds"),
        ("not below", 3.0, "does not hold"),
        ("not below", 3.95, "undecided"),
        ("not below", 4.3, "holds"),
    ],
)
def test_claims_are_checked_beyond_the_noise(expected: Any, ours: float, outcome: str) -> None:
    grid = load_grid("table1", ["Beauty"], seeds=1)
    contrast = Contrast("GenNi_SA", "SASRec", claim="so", expected=expected)
    grid = replace(grid, contrasts=(contrast,))
    runs = {cell.row: cell.choices[0].runs[0] for cell in grid.cells}
    results = {runs["SASRec"].key: result_of(runs["SASRec"], 4.0)}
    assert [each.outcome for each in compared(grid, results)] == ["missing"]
    results[runs["GenNi_SA"].key] = result_of(runs["GenNi_SA"], ours)
    assert [each.outcome for each in compared(grid, results)] == [outcome]


def test_claims_are_checked_by_as_many_errors_as_the_noise_asks_for() -> None:
    grid = load_grid("table1", ["Beauty"], seeds=1)
    grid = replace(grid, contrasts=(Contrast("GenNi_SA", "SASRec", claim="so"),))
    tests = {"SASRec": 4.0, "GenNi_SA": 4.36}  # 2.05 standard errors apart
    runs = {cell.row: cell.choices[0].runs[0] for cell in grid.cells}
    results = {runs[row].key: result_of(runs[row], test) for row, test in tests.items()}
    assert [each.outcome for each in compared(grid, results)] == ["holds"]
    noise = SeedNoise({(kind, "HR@5"): Deviation(0.03, 12) for kind in KINDS})
    assert [each.outcome for each in compared(grid, results, noise)] == ["undecided"]


def test_a_small_mean_is_not_known_better_than_a_large_one() -> None:
    """Of deviations of half the mean: 2.2 standard errors apart, but 1.9 on logarithms."""
    grid = load_grid("table1", ["Beauty"], seeds=4)
    contrast = Contrast("GenNi_SA", "SASRec", claim="so", expected="below")
    runs = {cell.row: cell.choices[0].runs for cell in grid.cells}
    made = [(runs["GenNi_SA"][0], 3.4), *((run, 10.0) for run in runs["SASRec"])]
    results = {run.key: result_of(run, test) for run, test in made}
    noise = SeedNoise({(kind, "HR@5"): Deviation(0.5, 18) for kind in KINDS})
    (found,) = compared(replace(grid, contrasts=(contrast,)), results, noise)
    assert found.outcome == "undecided"
    nothing = results | {made[0][0].key: result_of(made[0][0], 0.0)}
    (found,) = compared(replace(grid, contrasts=(contrast,)), nothing, noise)
    assert found.outcome == "holds"


def test_a_row_that_is_surely_worse_but_within_the_margin_is_as_good() -> None:
    grid = load_grid("table1", ["Beauty"], seeds=1)
    runs = {cell.row: cell.choices[0].runs[0] for cell in grid.cells}
    noise = SeedNoise({(kind, "HR@5"): Deviation(0.002, 12) for kind in KINDS})
    for ours, below, not_below in (
        (3.9, "holds", "holds"),
        (3.7, "holds", "does not hold"),
        (3.8, "holds", "undecided"),
    ):
        tests = {"SASRec": 4.0, "GenNi_SA": ours}
        results = {runs[row].key: result_of(runs[row], test) for row, test in tests.items()}
        for expected, outcome in (("below", below), ("not below", not_below)):
            contrast = Contrast("GenNi_SA", "SASRec", claim="so", expected=expected)  # type: ignore[arg-type]
            (found,) = compared(replace(grid, contrasts=(contrast,)), results, noise)
            assert found.outcome == outcome


def test_a_claim_over_a_sweep_is_one_and_waits_for_all_points() -> None:
    grid = load_grid("fig11", ["Beauty"])
    runs = [(cell.row, cell.choices[0].runs[0]) for cell in grid.cells]
    results = {run.key: result_of(run, 4.0 + 2 * (row == "GenNi_SA")) for row, run in runs}
    (claim,) = claims(grid, results)
    assert (claim.outcome, len(claim.parts)) == ("holds", 5)
    last = runs[-1][1]
    (claim,) = claims(grid, {key: each for key, each in results.items() if key != last.key})
    assert claim.outcome == "missing"
    left = {key: each for key, each in results.items() if key != last.key}
    assert "GenNi_SA against SASRec, hidden size 128: HR@5" in page([grid], left, {})
    (claim,) = claims(grid, results | {last.key: result_of(last, 1.0)})
    assert claim.outcome == "does not hold"
    text = page([grid], results, {})
    assert text.count("GenNi outperforms uniform negatives in all circumstances (Figure 11") == 1


def test_one_point_of_many_refutes_a_claim_at_a_level_divided_by_their_number() -> None:
    grid = load_grid("fig11", ["Beauty"])
    runs = [(cell.row, cell.point, cell.choices[0].runs[0]) for cell in grid.cells]
    for last, outcome in ((3.65, "undecided"), (3.0, "does not hold")):  # 2.2 and 6.7 errors below
        results = {
            run.key: result_of(run, (last if point == 4 else 6.0) if row == "GenNi_SA" else 4.0)
            for row, point, run in runs
        }
        (claim,) = claims(grid, results)
        assert claim.parts[4].outcome == "does not hold"
        assert claim.outcome == outcome
        assert claim.chance == pytest.approx(5 * claim.parts[4].chance)


def test_a_claim_is_as_uncertain_as_its_least_certain_point() -> None:
    grid = load_grid("fig11", ["Beauty"])
    runs = [(cell.row, cell.point, cell.choices[0].runs[0]) for cell in grid.cells]
    results = {
        run.key: result_of(run, (4.4 if point == 2 else 6.0) if row == "GenNi_SA" else 4.0)
        for row, point, run in runs
    }
    (claim,) = claims(grid, results)
    assert claim.outcome == "holds"
    assert claim.chance == claim.parts[2].chance > claim.parts[0].chance


def test_what_is_within_the_margin_is_called_so() -> None:
    grid = load_grid("table3")
    runs = [(cell.row, cell.point, cell.choices[0].runs[0]) for cell in grid.cells]
    results = {
        run.key: result_of(run, 4.4 if (row, point) == ("uniform", 7) else 4.0)
        for row, point, run in runs
    }
    text = page([grid], results, {})
    assert "HR@5 4.40 against 4.00, better, perhaps by less than 5 % (1 and 1 seeds)" in text


def test_the_cost_of_growing_beta_is_in_passes_over_the_catalogue() -> None:
    grid = load_grid("table2", ["Beauty"], seeds=1)
    results = {}
    for cell in grid.cells:
        (run,) = cell.choices[0].runs
        result = result_of(run, 6.0)
        betas = {"m 20": [0.001, 0.01, 0.1, 1.0], "beta 0.1": [0.1] * 4}.get(cell.row, [1.0] * 4)
        epochs = [replace(result.epochs[0], epoch=i, beta=beta) for i, beta in enumerate(betas)]
        results[run.key] = replace(result, epochs=epochs, best_epoch=2)
    found = {
        each.contrast.row: each
        for each in compared(grid, results)
        if each.contrast.metric == "passes"
    }
    assert found["m 20"].one["passes"].mean == pytest.approx(0.111)
    assert found["m 20"].other["passes"].mean == 3.0
    assert (found["m 20"].outcome, found["m 40"].outcome) == ("holds", "undecided")
    text = page([grid], results, {})
    assert "m 20 against beta 1: passes 0.1 against 3, fewer; HR@5 6.00 against 6.00 (" in text
    assert "| Beauty | HR@5 | NDCG@5 | passes | seeds |" in text


def test_uniform_negatives_take_no_pass() -> None:
    grid = load_grid("table1", ["Beauty"])
    runs = next(cell for cell in grid.cells if cell.row == "SASRec").choices[0].runs
    noise = SeedNoise.of([result_of(run, 4.0) for run in runs])
    assert (KINDS[1], "best epoch") in noise.measured
    assert (KINDS[1], "passes") not in noise.measured


def test_the_page_has_the_laws_of_all_seeds_that_kept_one() -> None:
    grid = load_grid("fig9", seeds=3)
    stage = LawStage(4, 2.5, 1.0, [0.0, 0.0], [1, 9], [[1.0], [0.0]], [0.5])
    law = LawStudy(7, 100, inputs=[1, 2], targets=[2, 3], items=[1], ranks=[1], stages=[stage])
    runs = grid.cells[0].choices[0].runs
    results = {run.key: result_of(run, 3.0) for run in runs}
    for run in runs[1:]:
        results[run.key] = replace(results[run.key], law=law.to_json())
    text = page([grid], results, {})
    for seed, count in ((0, 0), (1, 1), (2, 1)):
        assert text.count(f"User 7 of Sports, GenNi_SA, seed {seed}: effective number") == count
    assert "latest item at 1 of 2 positions" in text
    assert "User 7" not in page([load_grid("table1", ["Sports"])], results, {})


def test_a_figure_that_two_tables_show_counts_once() -> None:
    grids = [load_grid("table1", ["Beauty"]), load_grid("table2", ["Beauty"])]
    run = next(cell for cell in grids[1].cells if cell.row == "beta 1").choices[0].runs[0]
    text = page(grids, {run.key: result_of(run, 1.0)}, {})
    assert "of 4 that both we and the paper report, each counted once " in text
    assert "seen items masked), 0 inside, 0 above and 4 below the paper's range" in text
    assert "By table: Table 1 0 inside, 0 above and 4 below." in text
    assert text.count("1 seed: HR@5 1.00 (6.30)") == 1


def test_the_page_says_which_runs_were_made_again() -> None:
    grid = load_grid("table1", ["Beauty"])
    run = grid.cells[0].choices[0].runs[1]
    before = [result_of(run, 3.0), result_of(run, 5.0)]
    text = page([grid], {run.key: result_of(run, 4.0)}, {}, before)
    assert (
        "- Repeated with later code: Beauty uniform, seed 1: HR@5 3.00, then 5.00, then 4.00; "
        "NDCG@5 3.00, then 5.00, then 4.00. The tables show the last one." in text
    )


def test_all_results_of_a_run_are_kept_in_their_order(tmp_path: Path) -> None:
    run = load_grid("table1", ["Beauty"]).cells[0].choices[0].runs[0]
    file = run.file(tmp_path)
    for number in range(12):
        write_json(file, result_of(run, float(number)).to_json())
        keep_replaced(file)
    keep_replaced(file)
    assert not file.exists()
    assert [each.test["HR@5"] for each in replaced_below(tmp_path)] == list(range(12))


def test_seeds_are_one_row_however_a_default_is_written() -> None:
    runs = small_grid().cells[0].choices[0].runs
    results = [result_of(run, 3.0) for run in runs]
    results[1] = replace(results[1], sampler={**runs[1].sampler, "num_negatives": 1})
    assert [row.num_seeds for row in summarise(results)] == [2]


def test_runs_from_several_pretrainings_are_counted_one_by_one() -> None:
    run = load_grid("table1", ["Beauty"]).cells[3].choices[0].runs[0]
    assert run.pretraining is not None
    begun = run.pretraining.identity
    (row,) = summarise(
        replace(result_of(run, test), pretraining=begun | {"seed": seed})
        for seed, test in enumerate((5.0, 7.0))
    )
    assert (row.num_seeds, row.means["HR@5"]) == (2, 6.0)
    assert "| 6.00 ± 1.41 |" in markdown([row])


def test_times_of_several_versions_of_the_code_are_not_averaged() -> None:
    results = [result_of(run, 3.0) for run in small_grid().cells[0].choices[0].runs]

    def time(*sources: str) -> str:
        made = [
            replace(result, environment=result.environment | ({"source": source} if source else {}))
            for result, source in zip(results, sources, strict=True)
        ]
        return markdown(summarise(made)).splitlines()[-1].split(" | ")[-1]

    assert time("a", "a") == "4.0 |"
    assert time("a", "b") == "- |"
    assert time("", "") == "- |"  # of before it was noted
    assert "s / epoch" not in markdown(summarise(results), times=False)


@pytest.mark.parametrize("name", grid_names())
def test_rows_of_a_grid_have_names_of_their_own_in_tables(name: str) -> None:
    cells = load_grid(name).cells
    runs = {run.key: run for cell in cells for choice in cell.choices for run in choice.runs[:1]}
    rows = summarise(
        replace(result_of(run, 5.0), pretraining=begun.identity if begun else None)
        for run, begun in ((run, run.pretraining) for run in runs.values())
    )
    assert len({(row.dataset, row.configuration) for row in rows}) == len(rows) == len(runs)


def test_names_in_tables_say_what_is_not_the_default() -> None:
    def names(grid: str) -> list[str]:
        runs = [cell.choices[0].runs[0] for cell in load_grid(grid).cells]
        return [row.configuration for row in summarise(result_of(run, 5.0) for run in runs)]

    assert "GenNi alpha=2.5 beta=0.01 candidates=query" in names("candidates")
    assert "uniform hidden_size=16" in names("fig11")
    assert "uniform num_layers=3 num_heads=4" in names("layers_heads")


def test_names_in_tables_say_how_another_pretraining_was_made() -> None:
    cell = load_grid("table1", ["Beauty"]).cells[3]
    run = cell.choices[0].runs[0]
    assert run.pretraining is not None
    begun = run.pretraining.identity
    changes: dict[str, dict[str, Any]] = {
        "": {},
        " pre-trained for 7 epochs with mask_probability=0.5": {
            "epochs": 7,
            "mask_probability": 0.5,
        },
        " pre-trained with sampler=(sampler=genni, alpha=2)": {
            "sampler": {"sampler": "genni", "alpha": 2}
        },
        " pre-trained with dropout=0.1": {"dropout": 0.1},
    }
    plain = result_of(run, 5.0)
    rows = summarise(replace(plain, pretraining=begun | change) for change in changes.values())
    assert [row.configuration for row in rows] == [f"S3-Rec uniform{name}" for name in changes]


def test_contrasts_name_rows_and_points_of_their_grid() -> None:
    for name in grid_names():
        grid = load_grid(name)
        assert all(each.one.keys() == each.other.keys() for each in compared(grid, {}))


def test_a_sweep_is_a_wide_table_with_the_paper_below() -> None:
    grid = load_grid("table3")
    run = next(cell for cell in grid.cells if (cell.row, cell.point) == ("GenNi", 3)).choices[0]
    text = page([grid], {run.runs[0].key: result_of(run.runs[0], 5.9)}, {})
    assert "| Beauty | k: | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | seeds |" in text
    assert "| GenNi | HR@5 | - | - | - | 5.90 ● | - | - | - | - | 1 |" in text
    assert "| *paper* |  | *5.64* | *5.70* | *5.83* | *5.81* |" in text


def test_beyond_the_paper_test_is_read_of_the_chosen_row_alone() -> None:
    grid = load_grid("beyond")
    (cell,) = grid.cells
    firsts = [choice.runs[0] for choice in cell.choices]
    assert [run.settings.seed for run in cell.missing({})] == [0] * len(firsts)
    results = {
        run.key: result_of(run, test=90 + place, validation=5 + (place == 1))
        for place, run in enumerate(firsts[1:])
    }
    text = page([grid], results, {})
    number = len(firsts)
    assert f"No row is selected yet: 1 run of {number} missing. Test metrics are" in text
    assert not any(f"{90 + place}.00" in text for place in range(len(firsts)))
    results[firsts[0].key] = result_of(firsts[0], test=99, validation=1)
    left = cell.missing(results)
    assert [run.settings.seed for run in left] == [1, 2, 3]
    assert all(run.sampler == firsts[2].sampler for run in left)
    results[left[0].key] = result_of(left[0], test=4.0)
    text = page([grid], results, {})
    label = cell.choices[2].label
    assert f"| **{label}** | 6.00 | 6.00 | 6.00 | 4.00 |" in text
    assert f"Validation selected **{label}**. Test metrics (2 seeds): HR@5 47.50" in text
    assert "HR@5 47.50 ± 61.52 (aim 7: reached, within seed noise, standard error" in text
    assert "99.00" not in text


def test_leaking_rows_are_marked() -> None:
    grid = load_grid("leak")
    runs = {cell.row: cell.choices[0].runs[0] for cell in grid.cells}
    results = {run.key: result_of(run, 5.0) for run in runs.values()}
    text = page([grid], results, {})
    assert "| GenNi, whole sequence **LEAKS** | 1.00 | 5.00 |" in text
    assert "| GenNi, training items | 1.00 | 5.00 |" in text
