"""The page that shows our figures beside the paper's, made of result files alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import exp
from pathlib import Path
from statistics import fmean

from negsamp_models.law_picture import moment
from negsamp_models.records import RunResult
from negsamp_models.reproduction.beyond import beyond_tables
from negsamp_models.reproduction.figures import SECONDS, Compared, compared, figures_of, law_of
from negsamp_models.reproduction.grid_tables import MARKS, grid_tables, plural
from negsamp_models.reproduction.grids import Cell, Grid
from negsamp_models.results import write_whole

__all__ = ["page", "write_page"]


def page(
    grids: Sequence[Grid], results: Mapping[str, RunResult], pictures: Mapping[str, str]
) -> str:
    """Return the page in Markdown; `pictures` are file names by grid."""
    parts = {part: [grid for grid in grids if grid.part == part] for part in _HEADINGS}
    lines = [_INTRODUCTION, *_shortfalls(grids, results)]
    for part, heading in _HEADINGS.items():
        if parts[part]:
            lines.append(heading)
        for grid in parts[part]:
            lines += _section(grid, results, pictures.get(grid.name))
    return "\n".join(lines).rstrip() + "\n"


def write_page(
    grids: Sequence[Grid],
    results: Mapping[str, RunResult],
    pictures: Mapping[str, str],
    path: Path,
) -> None:
    """Write the page whole or not at all."""
    text = page(grids, results, pictures)
    write_whole(path, lambda target: target.write_text(text, encoding="utf-8"))


_INTRODUCTION = """\
# The paper, reproduced

Chen et al., "[Generating Negative Samples for Sequential
Recommendation](https://arxiv.org/abs/2208.03645)", table by table. `negsamp report` makes this page
from the result files under `results/` alone: one file a run, with its configuration, every epoch,
and what it ran on. `negsamp reproduce` makes the runs that are missing.

Figures are percent of the test items, each ranked over the whole catalogue with the items of the
input masked, with the weights that were best on validation; nothing is chosen on test. They are
means over seeds, ± the standard deviation. The paper's stand below ours in italics.

| mark | our mean is |
| --- | --- |
| ● | inside the paper's range: at most two standard deviations of the difference from its mean |
| ▲ | above the range |
| ▼ | below the range |
| - | missing: not run |

Where the paper prints no deviation, 3 % of its mean stands for it.
"""

_HEADINGS = {
    "paper": "## The paper's tables and figures\n",
    "open": """\
## What the paper leaves open

Decisions that the paper does not spell out, each with the runs that bear on it. Validation decides,
so its NDCG@10 stands first; test figures are beside it.
""",
    "beyond": "## Beyond the paper\n",
}


def _shortfalls(grids: Sequence[Grid], results: Mapping[str, RunResult]) -> Iterator[str]:
    """Say first what falls short, what does not hold, and what is missing."""
    counts, lines = _against_the_paper(grids, results)
    claims = [(grid, each) for grid in grids for each in compared(grid, results)]
    claims = [(grid, each) for grid, each in claims if each.contrast.claim]
    runs = {
        run.key
        for grid in grids
        for cell in grid.cells
        for choice in cell.choices
        for run in choice.runs
    }
    outcomes: dict[str, list[str]] = {
        outcome: [_claim(grid, each) for grid, each in claims if each.outcome == outcome]
        for outcome in ("does not hold", "not told apart", "holds", "missing")
    }
    yield "## Where we fall short\n"
    yield (
        f"- Figures: of {sum(counts.values())} that both have, {counts['inside']} are inside the "
        f"paper's range, {counts['above']} above and {counts['below']} below."
    )
    yield (
        f"- Claims: of {len(claims)} that the grids below check, {len(outcomes['does not hold'])} "
        f"do not hold, {len(outcomes['holds'])} hold, {len(outcomes['not told apart'])} cannot be "
        f"told, and {len(outcomes['missing'])} wait for runs."
    )
    made = [results[key] for key in sorted(runs & results.keys())]
    yield f"- Runs: {len(made)} of {len(runs)} are made{_codes(made)}.\n"
    if lines["below"]:
        yield from ["Below the paper (its mean in brackets):\n", *lines["below"], ""]
    if refuted := outcomes["does not hold"]:
        yield from ["Claims of the paper that do not hold here:\n", *refuted, ""]
    if blurred := outcomes["not told apart"]:
        yield from ["Claims that these runs cannot tell, as both are within two deviations:\n"]
        yield from [*blurred, ""]
    if lines["above"]:
        yield from ["Above the paper (its mean in brackets):\n", *lines["above"], ""]
    if held := outcomes["holds"]:
        yield from ["Claims of the paper that hold here:\n", *held, ""]


def _codes(results: Sequence[RunResult]) -> str:
    """Say how many versions of the code made them, where there is more than one."""
    digests = Counter(result.environment.get("source", "") for result in results)
    unnamed = digests.pop("", 0)
    if len(digests) + bool(unnamed) <= 1:
        return ""
    older = f"; {plural(unnamed, 'file')} from before it was noted" if unnamed else ""
    return f", by {plural(len(digests), 'version')} of the code (`source` in the files{older})"


def _against_the_paper(
    grids: Sequence[Grid], results: Mapping[str, RunResult]
) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Count the paper's figures by verdict, and list those that ours are not inside."""
    counts = dict.fromkeys(MARKS, 0)
    lines: dict[str, list[str]] = {"above": [], "below": []}
    cells = [(grid, cell) for grid in grids if grid.part == "paper" for cell in grid.cells]
    for grid, cell in cells:
        figures = {
            metric: figure
            for metric, figure in figures_of(grid, cell, results)[1].items()
            if metric != SECONDS and figure.verdict is not None
        }
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
                place = f"{_short(grid)}, {cell.dataset}, {cell.row}{_point(grid, cell)}"
                listed.append(f"- {place}, {seeds}: {', '.join(parts)}")
    return counts, lines


def _claim(grid: Grid, each: Compared) -> str:
    return f"- {each.contrast.claim} ({_short(grid)}, {each.dataset}): {_evidence(each)}"


def _evidence(each: Compared) -> str:
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


def _section(grid: Grid, results: Mapping[str, RunResult], picture: str | None) -> Iterator[str]:
    yield f"### {grid.title}\n"
    if grid.note:
        yield f"{grid.note}\n"
    if picture is not None:
        yield f"![{grid.title}]({picture})\n"
    if grid.part == "beyond":
        yield from beyond_tables(grid, results)
        return
    yield from grid_tables(grid, results)
    yield from _sharers(grid, results)
    contrasts = list(compared(grid, results)) if grid.part == "open" else []
    if any(each.verdict for each in contrasts):
        yield from (f"- {_evidence(each)}" for each in contrasts)
        yield ""


def _sharers(grid: Grid, results: Mapping[str, RunResult]) -> Iterator[str]:
    """Say of each law how many items share the draws over training."""
    for cell in grid.cells:
        if (study := law_of(cell, results)) is None:
            continue
        stages = "; ".join(
            f"{moment(study, stage)} {fmean(map(exp, stage.entropy)):,.0f}"
            for stage in study.stages
        )
        yield (
            f"User {study.user} of {cell.dataset}, {cell.row}: items that share the draws (the "
            f"exponential of the entropy, mean over positions; {study.num_items:,} are there): "
            f"{stages}.\n"
        )


def _point(grid: Grid, cell: Cell) -> str:
    if grid.sweep is None or cell.point is None:
        return ""
    return f" at {grid.swept} {grid.sweep[1][cell.point]:g}"


def _short(grid: Grid) -> str:
    return grid.title.partition(":")[0]
