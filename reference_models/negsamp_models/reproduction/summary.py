"""What stands first on the page: where we fall short, what does not hold, what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from negsamp_models.records import RunResult
from negsamp_models.reproduction.claims import Claim, Compared, claims
from negsamp_models.reproduction.figures import SECONDS, Figure, figures_of
from negsamp_models.reproduction.gaps import gaps
from negsamp_models.reproduction.grid_tables import MARKS
from negsamp_models.reproduction.grids import Cell, Grid
from negsamp_models.reproduction.noise import LEAST, SeedNoise
from negsamp_models.reproduction.planned import PlannedRun
from negsamp_models.wording import plural

__all__ = ["evidence_of", "summary"]


def summary(
    grids: Sequence[Grid],
    results: Mapping[str, RunResult],
    noise: SeedNoise,
    replaced: Sequence[RunResult],
) -> Iterator[str]:
    """Say first what falls short, what does not hold, and what is missing."""
    counts, lines = _against_the_paper(grids, results, noise)
    checked = [(grid, each) for grid in grids for each in claims(grid, results, noise)]
    runs = {
        run.key
        for grid in grids
        for cell in grid.cells
        for choice in cell.choices
        for run in choice.runs
    }
    outcomes: dict[str, list[str]] = {
        outcome: [_claim(grid, each) for grid, each in checked if each.outcome == outcome]
        for outcome in ("does not hold", "not told apart", "holds", "missing")
    }
    yield "## Where we fall short\n"
    yield (
        f"- Figures: of {sum(counts.values())} that both have, each counted once, "
        f"{counts['inside']} are inside the paper's range, {counts['above']} above and "
        f"{counts['below']} below."
    )
    number = {outcome: len(each) for outcome, each in outcomes.items()}
    yield (
        f"- Claims: {len(checked)} are checked by the grids below: {number['does not hold']} "
        f"refuted, {number['holds']} confirmed, {number['not told apart']} within the noise, and "
        f"{number['missing']} waiting for runs."
    )
    made = [results[key] for key in sorted(runs & results.keys())]
    yield f"- Runs: {len(made)} of {len(runs)} are made{_codes(made)}."
    yield from _noise_in_words(noise)
    yield from _replaced_in_words(results, replaced)
    yield ""
    for grid in (each for each in grids if each.name == "table1"):
        if whole := list(gaps(grid, results, noise)):
            yield from ["Table 1 on the whole, mean of its four metrics:\n", *whole, ""]
    if lines["below"]:
        yield from ["Below the paper (its mean in brackets):\n", *lines["below"], ""]
    if refuted := outcomes["does not hold"]:
        yield from ["Claims of the paper that do not hold here:\n", *refuted, ""]
    if blurred := outcomes["not told apart"]:
        yield from ["Claims that these runs cannot tell, within two standard errors:\n"]
        yield from [*blurred, ""]
    if lines["above"]:
        yield from ["Above the paper (its mean in brackets):\n", *lines["above"], ""]
    if held := outcomes["holds"]:
        yield from ["Claims of the paper that hold here:\n", *held, ""]
    begun = [
        _claim(grid, each)
        for grid, each in checked
        if each.outcome == "missing" and any(part.verdict for part in each.parts)
    ]
    if begun:
        yield from ["Claims that wait for more runs, and what there is of them:\n", *begun, ""]


def _codes(results: Sequence[RunResult]) -> str:
    """Say how many versions of the code made them, where there is more than one."""
    digests = Counter(result.environment.get("source", "") for result in results)
    unnamed = digests.pop("", 0)
    if len(digests) + bool(unnamed) <= 1:
        return ""
    older = f"; {plural(unnamed, 'file')} from before it was noted" if unnamed else ""
    return f", by {plural(len(digests), 'version')} of the code (`source` in the files{older})"


def _noise_in_words(noise: SeedNoise) -> Iterator[str]:
    known = [(name, noise.relative[name]) for name in ("HR@5", "NDCG@5") if name in noise.relative]
    if known:
        words = " and ".join(f"{name} by {100 * max(part, LEAST):.1f} %" for name, part in known)
        yield f"- Seeds alone move {words} of the mean (one standard deviation)."


def _replaced_in_words(
    results: Mapping[str, RunResult], replaced: Sequence[RunResult]
) -> Iterator[str]:
    """Say which runs were made again, and what each gave every time."""
    times: dict[str, list[RunResult]] = {}
    for before in replaced:
        times.setdefault(PlannedRun.of(before).key, []).append(before)
    for key, made in times.items():
        if (last := results.get(key)) is not None:
            run = PlannedRun.of(last)
            figures = "; ".join(
                f"{name} {', then '.join(f'{each.test[name]:.2f}' for each in [*made, last])}"
                for name in ("HR@5", "NDCG@5")
            )
            yield (
                f"- Made again by later code: {run.dataset} {run.slug}, seed {run.settings.seed}: "
                f"{figures}. The last stands in the tables."
            )


def _against_the_paper(
    grids: Sequence[Grid], results: Mapping[str, RunResult], noise: SeedNoise
) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Count the paper's figures by verdict, and list those that ours are not inside.

    What one configuration gives for one metric counts once, however many tables show it: where it
    is a mean over the most seeds.
    """
    counts = dict.fromkeys(MARKS, 0)
    lines: dict[str, list[str]] = {"above": [], "below": []}
    cells = [(grid, cell) for grid in grids if grid.part == "paper" for cell in grid.cells]
    shown: dict[tuple[str, str], tuple[int, Figure]] = {}
    for place, (grid, cell) in enumerate(cells):
        choice, figures = figures_of(grid, cell, results, noise)
        for metric, figure in figures.items():
            if choice is None or metric == SECONDS or figure.verdict is None:
                continue
            key = choice.runs[0].key, metric
            if key not in shown or figure.num_seeds > shown[key][1].num_seeds:
                shown[key] = place, figure
    for place, (grid, cell) in enumerate(cells):
        figures = {key[1]: figure for key, (where, figure) in shown.items() if where == place}
        for figure in figures.values():
            counts[figure.verdict or ""] += 1
        for verdict, listed in lines.items():
            parts = [
                f"{metric} {figure.mean:.2f} ({figure.theirs.mean:.2f})"
                for metric, figure in figures.items()
                if figure.verdict == verdict and figure.mean is not None and figure.theirs
            ]
            if parts:
                seeds = plural(next(iter(figures.values())).num_seeds, "seed")
                name = f"{_short(grid)}, {cell.dataset}, {cell.row}{_point(grid, cell)}"
                listed.append(f"- {name}, {seeds}: {', '.join(parts)}")
    return counts, lines


def _claim(grid: Grid, claim: Claim) -> str:
    evidence = "; ".join(evidence_of(part) for part in claim.parts if part.verdict is not None)
    return f"- {claim.contrast.claim} ({_short(grid)}, {claim.dataset}): {evidence}"


def evidence_of(each: Compared) -> str:
    """Return the figures of a contrast in words: by its metric, and HR@5 of test beside it."""
    rows = each.contrast.row
    if each.contrast.other != each.contrast.row:
        rows += f" against {each.contrast.other}"
    point = f", {each.point}" if each.point else ""
    words = {"inside": "not told apart", "above": "better", "below": "worse"}
    if each.verdict is None:
        return f"{rows}{point}: missing"
    parts = [
        f"{metric} {each.one[metric].mean:.2f} against {each.other[metric].mean:.2f}"
        for metric in dict.fromkeys([each.metric, "HR@5"])
        if metric in each.one
    ]
    parts[0] += f", {words[each.verdict]}"
    one, other = each.one[each.metric].num_seeds, each.other[each.metric].num_seeds
    return f"{rows}{point}: {'; '.join(parts)} ({plural(one, 'seed')} and {other})"


def _point(grid: Grid, cell: Cell) -> str:
    if grid.sweep is None or cell.point is None:
        return ""
    return f" at {grid.swept} {grid.sweep[1][cell.point]:g}"


def _short(grid: Grid) -> str:
    return grid.title.partition(":")[0]
