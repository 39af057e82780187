"""The summary on top of the page: shortcomings, claims that do not hold, missing runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import BEST, Grid
from negsamp_models.reproduction.metrics import EPOCHS, PASSES
from negsamp_models.reproduction.page.against_paper import against_the_paper, short_title
from negsamp_models.reproduction.page.claims import MARGIN, Claim, Compared, Outcome, claims
from negsamp_models.reproduction.page.common_settings import capped_line
from negsamp_models.reproduction.page.gains import gained
from negsamp_models.reproduction.page.gaps import gaps
from negsamp_models.reproduction.page.glance import AVERAGE, Entry, corrected, glance
from negsamp_models.reproduction.page.grid_tables import number
from negsamp_models.reproduction.page.noise import SeedNoise
from negsamp_models.reproduction.page.rankings import rankings
from negsamp_models.reproduction.page.runs_on_file import replaced_lines, runs_line

__all__ = ["checked", "evidence_of", "summary"]

_HEADINGS: dict[Outcome, str] = {
    "does not hold": "Claims of the paper that do not hold here:",
    "undecided": "Claims that are undecided, since the difference is within seed noise:",
    "holds": "Claims of the paper that hold here:",
    "missing": "Claims that need more runs, with the results so far:",
}


_WORDS = {EPOCHS: ("later", "earlier"), PASSES: ("more", "fewer")}
"""What to call a row whose metric is above or below another's, if not better or worse."""


def summary(
    grids: Sequence[Grid],
    results: Mapping[str, RunResult],
    noise: SeedNoise,
    replaced: Sequence[RunResult],
) -> Iterator[str]:
    """Yield the lines of the summary, shortcomings first."""
    counts, lines = against_the_paper(grids, results, noise)
    entries, listed = checked(grids, results, noise)
    yield "## Where we fall short\n"
    yield _values_in_words(counts)
    yield _claims_in_words(entries)
    yield runs_line(grids, results)
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


def checked(
    grids: Sequence[Grid], results: Mapping[str, RunResult], noise: SeedNoise
) -> tuple[list[Entry], dict[Outcome, list[str]]]:
    """Return all claims, and list them by outcome; of missing ones, those with runs."""
    entries: list[Entry] = []
    listed: dict[Outcome, list[str]] = {outcome: [] for outcome in _HEADINGS}
    for grid in grids:
        for gain in gained(grid, results, noise):
            on = AVERAGE if len(gain.gain.datasets) != 1 else gain.gain.datasets[0]
            words = f"{short_title(grid)}: {gain.gain.claim}"
            entries.append(Entry(words, on, gain.outcome, gain.chance))
            if gain.words:
                listed[gain.outcome].append(
                    f"- {gain.gain.claim} ({short_title(grid)}): {gain.words}"
                )
        for claim in claims(grid, results, noise):
            words = f"{short_title(grid)}: {claim.contrast.claim}"
            entries.append(Entry(words, claim.dataset, claim.outcome, claim.chance))
            if any(part.verdict for part in claim.parts):
                listed[claim.outcome].append(_claim(grid, claim, results))
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


def _claims_in_words(entries: Sequence[Entry]) -> str:
    """Say how many claims were tested, with which outcomes, and how many outlast a correction."""
    outcomes = Counter(entry.outcome for entry in entries)
    tested = outcomes.total() - outcomes["missing"]
    decided, kept = outcomes["holds"] + outcomes["does not hold"], sum(corrected(entries))
    return (
        f"- Claims: of {outcomes.total()}, each on one data set or on the average, {tested} are "
        f"tested: {outcomes['holds']} confirmed, {outcomes['does not hold']} refuted, and "
        f"{outcomes['undecided']} undecided, within seed noise. The other {outcomes['missing']} "
        "need more runs. Each test is two-sided at the 5 % level and stands alone: if no rows "
        f"differed at all, about {max(1, round(tested / 20))} of {tested} would be decided by "
        f"chance. After Holm's correction for their number, {kept} of the {decided} are decided; "
        "the p-values of the others are in the table."
    )


def _claim(grid: Grid, claim: Claim, results: Mapping[str, RunResult]) -> str:
    evidence = "; ".join(evidence_of(part) for part in claim.parts if part.verdict is not None)
    ranking, _ = rankings(claim.dataset, results)[0]
    return f"- {claim.contrast.claim} ({short_title(grid)}, {ranking}): {evidence}"


def evidence_of(each: Compared) -> str:
    """Describe a contrast in words: its metric, test HR@5, and the numbers of seeds."""
    rows = each.contrast.row
    if each.contrast.other != each.contrast.row:
        rows += f" against {each.contrast.other}"
    point = f", {each.point}" if each.point else ""
    above, below = _WORDS.get(each.metric, ("better", "worse"))
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
    if each.verdict != "inside" and each.outcome == "undecided":
        parts[0] += f", perhaps by less than {100 * MARGIN:g} %"
    ours, others = each.one[each.metric].num_seeds, each.other[each.metric].num_seeds
    ends = each.contrast.at, each.contrast.other_at
    runs = "runs" if any(isinstance(end, tuple) for end in ends) else "seeds"
    return f"{rows}{point}: {'; '.join(parts)} ({ours} and {others} {runs})"
