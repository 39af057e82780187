"""The summary on top of the page: shortcomings, claims that do not hold, missing runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import BEST, Grid
from negsamp_models.reproduction.page.against_paper import against_the_paper, short_title
from negsamp_models.reproduction.page.claims import MARGIN, Claim, Compared, Outcome, claims
from negsamp_models.reproduction.page.common_settings import capped_line
from negsamp_models.reproduction.page.gains import gained
from negsamp_models.reproduction.page.gaps import gaps
from negsamp_models.reproduction.page.glance import AVERAGE, glance
from negsamp_models.reproduction.page.grid_tables import number
from negsamp_models.reproduction.page.noise import (
    EPOCHS,
    KINDS,
    RANKED,
    VALIDATION,
    Deviation,
    SeedNoise,
)
from negsamp_models.reproduction.page.rankings import rankings
from negsamp_models.reproduction.page.runs_on_file import replaced_lines, runs_line
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
    entries, listed = _checked(grids, results, noise)
    outcomes = Counter(outcome for *_, outcome in entries)
    yield "## Where we fall short\n"
    yield _values_in_words(counts)
    yield _claims_in_words(outcomes)
    yield runs_line(grids, results)
    yield from _noise_in_words(noise)
    yield from capped_line(results)
    yield from replaced_lines(results, replaced)
    yield ""
    if entries:
        yield "Claims of the paper, blank where it has none, - where runs are missing:\n"
        yield from glance(entries)
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
) -> tuple[list[tuple[str, str, Outcome]], dict[Outcome, list[str]]]:
    """Return claim, data set and outcome of all, and list them; of missing, those with runs."""
    entries: list[tuple[str, str, Outcome]] = []
    listed: dict[Outcome, list[str]] = {outcome: [] for outcome in _HEADINGS}
    for grid in grids:
        for gain in gained(grid, results, noise):
            on = AVERAGE if len(gain.gain.datasets) != 1 else gain.gain.datasets[0]
            entries.append((f"{short_title(grid)}: {gain.gain.claim}", on, gain.outcome))
            if gain.words:
                listed[gain.outcome].append(
                    f"- {gain.gain.claim} ({short_title(grid)}): {gain.words}"
                )
        for claim in claims(grid, results, noise):
            words = f"{short_title(grid)}: {claim.contrast.claim}"
            entries.append((words, claim.dataset, claim.outcome))
            if any(part.verdict for part in claim.parts):
                listed[claim.outcome].append(_claim(grid, claim))
    return entries, listed


def _values_in_words(counts: Mapping[str, Counter[str]]) -> str:
    """Say how many values are inside, above and below the paper's range, in all and by table."""
    every = sum(counts.values(), Counter())
    tables = "; ".join(f"{title} {_verdicts(each)}" for title, each in counts.items())
    return (
        f"- Values: of {every.total()} that both we and the paper report, each counted once "
        f"(Yelp's with seen items masked), {_verdicts(every)} the paper's range; by chance alone, "
        f"about {round(every.total() / 20)} would be outside. By table: {tables or 'none'}."
    )


def _verdicts(counts: Counter[str]) -> str:
    return f"{counts['inside']} inside, {counts['above']} above and {counts['below']} below"


def _claims_in_words(outcomes: Counter[Outcome]) -> str:
    """Say how many claims were tested, with which outcomes, and what the tests mean."""
    tested = outcomes.total() - outcomes["missing"]
    return (
        f"- Claims: of {outcomes.total()}, each on one data set or on the average, {tested} are "
        f"tested: {outcomes['holds']} confirmed, {outcomes['does not hold']} refuted, and "
        f"{outcomes['undecided']} undecided, within seed noise. The other {outcomes['missing']} "
        "need more runs. Gains in percent are compared in size. Every other claim tests a sign, "
        "in HR@5 unless another metric is named: one row is above another, not necessarily by as "
        "much as in the paper; a row that does as well as another, or does not gain, is at most "
        f"{100 * MARGIN:g} % worse, or better. Each test is two-sided at the 5 % level and stands "
        f"alone: if no rows differed at all, about {max(1, round(tested / 20))} of {tested} would "
        "be decided by chance."
    )


def _noise_in_words(noise: SeedNoise) -> Iterator[str]:
    """Yield a line for each kind of negatives."""
    for kind in KINDS:
        known = noise.measured.get((kind, "HR@5"))
        if known is None:
            continue
        names = ["HR@5", "NDCG@5", f"{VALIDATION}NDCG@10", EPOCHS]
        parts = [f"{name} {_percent(noise.deviation(kind, name))}" for name in names]
        if (kind, f"{RANKED}HR@5") in noise.measured:
            ranked = noise.deviation(kind, f"{RANKED}HR@5")
            freedom = plural(int(noise.measured[kind, f"{RANKED}HR@5"].freedom), "degree")
            parts.append(f"HR@5 with seen items ranked {_percent(ranked)} ({freedom} of freedom)")
        yield (
            f"- Seed noise of {kind}: {', '.join(parts)} (standard deviation in percent of the "
            f"mean, pooled over {plural(known.num_configurations, 'configuration')} with several "
            f"seeds, {plural(int(known.freedom), 'degree')} of freedom)."
        )


def _percent(deviation: Deviation) -> str:
    assumed = ", assumed" if math.isinf(deviation.freedom) else ""
    return f"{100 * deviation.relative:.1f}{assumed}"


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
    ends = each.contrast.at, each.contrast.other_at
    runs = "runs" if any(isinstance(end, tuple) for end in ends) else "seeds"
    return f"{rows}{point}: {'; '.join(parts)} ({ours} and {others} {runs})"
