"""The report on a folder of results: Markdown, with two pictures beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.cases import all_cases
from benchmarks.contenders import CONTENDERS
from benchmarks.records import CaseResult, read_results
from benchmarks.reporting.bars import all_bars
from benchmarks.reporting.growth import growths
from benchmarks.reporting.growth_picture import draw_growth
from benchmarks.reporting.growth_words import growth_words
from benchmarks.reporting.ratios_picture import draw_ratios
from benchmarks.reporting.tables import bars_table, case_table, common_setting, growth_table
from negsamp_models.files.writing import write_text

__all__ = ["GROWTH", "RATIOS", "REPORT", "ordered", "render", "write_report"]

REPORT, RATIOS, GROWTH = "report.md", "ratios.png", "growth.png"


def write_report(folder: Path) -> str:
    """Write ``report.md``, ``ratios.png`` and ``growth.png`` from the result files of a folder.

    Returns
    -------
    str
        Its first part, with the outcome of the bars.

    Raises
    ------
    ValueError
        If there are no results.
    """
    results = ordered(folder)
    if not results:
        raise ValueError(f"{folder} has no results; run the benchmarks first")
    draw_ratios(results, folder / RATIOS)
    draw_growth(growths(results), folder / GROWTH)
    text = render(results)
    write_text(folder / REPORT, text)
    return text.partition("\n## Times")[0] + f"\nWritten: {folder / REPORT}"


def render(results: Sequence[CaseResult]) -> str:
    """Return the report on one or more results, in the order given, as Markdown."""
    parts = ["# Benchmarks\n", _surroundings(results), "## Bars\n"]
    if any(result.conditions["quick"] for result in results):
        parts.append("A quick run, with sizes too small for its figures to mean anything.\n")
    else:
        bars = all_bars(results[0].conditions["backend"])
        parts.append(bars_table([bar.outcome(results) for bar in bars]))
    parts += ["## Times, and in brackets their ratios to the reference\n"]
    parts += [f"![Times relative to the reference]({RATIOS})\n"]
    for result in results:
        if result.axis is None:
            parts += _case(result)
    if found := growths(results):
        parts += ["## Growth\n", f"![Growth]({GROWTH})\n", growth_table(found)]
        parts += [*growth_words(found), ""]
    for result in results:
        if result.axis not in (None, "threads"):
            parts += _case(result)
    return "\n".join([*parts, "## Contenders\n", _notes(results)])


def ordered(folder: Path) -> list[CaseResult]:
    """Return the results of a folder in the order of the cases, and of threads."""
    names = list(dict.fromkeys(case.name for case in all_cases("numba")))
    known = [result for result in read_results(folder) if result.name in names]
    return sorted(known, key=lambda result: (names.index(result.name), result.threads))


def _case(result: CaseResult) -> list[str]:
    threads = f"{result.threads} thread{'s' * (result.threads > 1)}"
    return [
        f"### {result.name}, {threads}\n",
        f"{_about(result)} Common settings: {common_setting(result)}.\n",
        case_table(result),
    ]


def _about(result: CaseResult) -> str:
    """Return the present description of a case; that of the file if there is no such case."""
    cases = all_cases(result.conditions["backend"])
    return next((case.about for case in cases if case.name == result.name), result.about)


def _surroundings(results: Sequence[CaseResult]) -> str:
    """Describe the environment of the results, one line per distinct environment."""
    cases: dict[str, list[str]] = {}
    for result in results:
        cases.setdefault(_surrounding(result), []).append(result.name)
    if len(cases) == 1:
        return f"Measured on {next(iter(cases))}.\n"
    lines = [f"- {', '.join(dict.fromkeys(names))}: {text}." for text, names in cases.items()]
    return "\n".join(["Measured on\n", *lines, ""])


def _surrounding(result: CaseResult) -> str:
    conditions, policy = result.conditions, result.conditions["policy"]
    versions = ", ".join(f"{name} {found}" for name, found in conditions["versions"].items())
    return (
        f"{conditions['machine']}, {conditions['memory_gib']} GiB; {versions}; source "
        f"{conditions['source']}; times are medians of {policy['least_repeats']} to "
        f"{policy['most_repeats']} repeats; a call of more than {policy['once']:g} s is made once"
    )


def _notes(results: Sequence[CaseResult]) -> str:
    seen = {each.contender for result in results for each in result.measurements}
    notes = [
        f"- {each.name}: {each.note}." for each in CONTENDERS if each.note and each.name in seen
    ]
    return "\n".join(notes) + "\n"
