"""The summary on top of the page: shortcomings, claims that do not hold, missing runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from negsamp_models.records import RunResult
from negsamp_models.reproduction.against_paper import against_the_paper, short_title
from negsamp_models.reproduction.claims import Claim, Compared, Outcome, claims
from negsamp_models.reproduction.common_settings import capped_line
from negsamp_models.reproduction.figures import rankings
from negsamp_models.reproduction.gains import gained
from negsamp_models.reproduction.gaps import gaps
from negsamp_models.reproduction.grid_tables import number
from negsamp_models.reproduction.grids import BEST, Grid
from negsamp_models.reproduction.noise import EPOCHS, VALIDATION, SeedNoise
from negsamp_models.reproduction.planned import PlannedRun
from negsamp_models.wording import plural

__all__ = ["evidence_of", "summary"]

_HEADINGS: dict[Outcome, str] = {
    "does not hold": "Claims of the paper that do not hold here:",
    "undecided": "Claims that are undecided, since the difference is within seed noise:",
    "holds": "Claims of the paper that hold here:",
    "missing": "Claims that need more runs, with the results so far:",
}


def summary(
    grids: Sequence[Grid],
    results: Mapping[str, RunResult],
    noise: SeedNoise,
    replaced: Sequence[RunResult],
) -> Iterator[str]:
    """Yield the lines of the summary, shortcomings first."""
    counts, lines = against_the_paper(grids, results, noise)
    outcomes, listed = _checked(grids, results, noise)
    total = sum(counts.values())
    yield "## Where we fall short\n"
    yield (
        f"- Values: of {total} that both we and the paper report, each counted once (Yelp's with "
        f"seen items masked), {counts['inside']} are inside the paper's range, {counts['above']} "
        f"above and {counts['below']} below; by chance alone, about {round(total / 20)} would be "
        "outside."
    )
    yield (
        f"- Claims: {outcomes.total()} are tested below: {outcomes['does not hold']} refuted, "
        f"{outcomes['holds']} confirmed, {outcomes['undecided']} undecided (within seed noise), "
        f"and {outcomes['missing']} not yet run. Average gains are compared in size. Every other "
        "claim tests a sign: one row is above another, not necessarily by as much as in the paper."
    )
    yield _runs_in_words(grids, results)
    yield from _noise_in_words(noise)
    yield from capped_line(results)
    yield from _replaced_in_words(results, replaced)
    yield ""
    for grid in (each for each in grids if each.name == "table1"):
        if whole := list(gaps(grid, results, noise)):
            yield from [
                "Table 1, mean difference from the paper over its four metrics:\n",
                *whole,
                "",
            ]
    yield from _lists(
        ("Below the paper (its mean in brackets):", lines["below"]),
        *((_HEADINGS[each], listed[each]) for each in ("does not hold", "undecided")),
    )
    yield "## What holds, and what is not yet run\n"
    yield from _lists(
        *((_HEADINGS[each], listed[each]) for each in ("holds", "missing")),
        ("Above the paper (its mean in brackets):", lines["above"]),
    )


def _lists(*sections: tuple[str, list[str]]) -> Iterator[str]:
    for heading, entries in sections:
        if entries:
            yield from [f"{heading}\n", *entries, ""]


def _checked(
    grids: Sequence[Grid], results: Mapping[str, RunResult], noise: SeedNoise
) -> tuple[Counter[Outcome], dict[Outcome, list[str]]]:
    """Count claims by outcome, and list them; of missing ones, those with some runs."""
    counts: Counter[Outcome] = Counter()
    listed: dict[Outcome, list[str]] = {outcome: [] for outcome in _HEADINGS}
    for grid in grids:
        for gain in gained(grid, results, noise):
            counts[gain.outcome] += 1
            if gain.words:
                listed[gain.outcome].append(
                    f"- {gain.gain.claim} ({short_title(grid)}): {gain.words}"
                )
        for claim in claims(grid, results, noise):
            counts[claim.outcome] += 1
            if any(part.verdict for part in claim.parts):
                listed[claim.outcome].append(_claim(grid, claim))
    return counts, listed


def _runs_in_words(grids: Sequence[Grid], results: Mapping[str, RunResult]) -> str:
    """Describe how many runs are finished and left, and by how many versions of the code."""
    cells = [cell for grid in grids for cell in grid.cells]
    left = {run.key for cell in cells for run in cell.left(results)}
    asked = {run.key for cell in cells for run in cell.runs}
    made = (asked & results.keys()) - left
    digests = Counter(results[key].environment.get("source", "") for key in made)
    unnamed = digests.pop("", 0)
    text = f"- Runs: {len(made)} finished and {len(left)} missing"
    if len(digests) + bool(unnamed) > 1:
        older = f"; {plural(unnamed, 'older file')} without it" if unnamed else ""
        versions = plural(len(digests), "version")
        text += f". {versions} of the code made them (`source` in the files{older})"
    return f"{text}."


def _noise_in_words(noise: SeedNoise) -> Iterator[str]:
    names = ["HR@5", "NDCG@5", f"{VALIDATION}NDCG@10", EPOCHS]
    names = [name for name in names if name in noise.relative]
    if names:
        known = [f"{name} {100 * noise.deviation(name):.1f} %" for name in names]
        yield (
            f"- Seed noise: {', '.join(known[:-1])} and {known[-1]} of the mean (standard "
            f"deviation, pooled over {plural(noise.num_configurations, 'configuration')} with "
            f"several seeds, {plural(noise.freedom[names[0]], 'degree')} of freedom). Two means "
            "are distinguishable if they differ by more than "
            f"{noise.width(names[0]):.2f} standard errors of the difference."
        )


def _replaced_in_words(
    results: Mapping[str, RunResult], replaced: Sequence[RunResult]
) -> Iterator[str]:
    """Yield a line for each repeated run, with the metrics of all its results."""
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
                f"- Repeated with later code: {run.dataset} {run.slug}, seed {run.settings.seed}: "
                f"{figures}. The tables show the last one."
            )


def _claim(grid: Grid, claim: Claim) -> str:
    evidence = "; ".join(evidence_of(part) for part in claim.parts if part.verdict is not None)
    ranking, _ = rankings(claim.dataset)[0]
    return f"- {claim.contrast.claim} ({short_title(grid)}, {ranking}): {evidence}"


def evidence_of(each: Compared) -> str:
    """Describe a contrast in words: its metric, test HR@5, and the numbers of seeds."""
    rows = each.contrast.row
    if each.contrast.other != each.contrast.row:
        rows += f" against {each.contrast.other}"
    point = f", {each.point}" if each.point else ""
    above, below = ("later", "earlier") if each.metric == EPOCHS else ("better", "worse")
    words = {"inside": "within seed noise", "above": above, "below": below}
    if each.verdict is None:
        return f"{rows}{point}: missing"
    if each.contrast.at == BEST and each.one == each.other:
        return f"{rows}{point}: no decrease observed"
    parts = [
        f"{metric} {number(metric, one.mean)} against {number(metric, other.mean)}"
        for metric in dict.fromkeys([each.metric, "HR@5"])
        if (one := each.one.get(metric)) and (other := each.other.get(metric))
        if one.mean is not None and other.mean is not None
    ]
    parts[0] += f", {words[each.verdict]}"
    ours, others = each.one[each.metric].num_seeds, each.other[each.metric].num_seeds
    runs = "runs" if isinstance(each.contrast.at, tuple) else "seeds"
    return f"{rows}{point}: {'; '.join(parts)} ({ours} and {others} {runs})"
