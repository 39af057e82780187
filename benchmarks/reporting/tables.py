"""Markdown tables of bars, cases and growth, and formatting of figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.contenders import REFERENCES
from benchmarks.records import CaseResult, Measurement
from benchmarks.reporting.bars import Outcome
from benchmarks.reporting.growth import Growth
from benchmarks.settings import Epoch

__all__ = [
    "HEADS",
    "bars_table",
    "case_table",
    "format_bytes",
    "format_seconds",
    "growth_table",
    "quantity",
    "ratio_of",
    "table",
    "three_digits",
]

HEADS = {"num_items": "V", "num_negatives": "k", "dim": "d"}
"""Headings of fields, where they differ from the names."""


def table(heads: Sequence[str], lines: Sequence[Sequence[str]], align: str) -> str:
    """Return a Markdown table; `align` has one letter per column, "l" or "r"."""
    marks = ["---:" if letter == "r" else "---" for letter in align]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (heads, marks, *lines))


def bars_table(outcomes: Sequence[Outcome]) -> str:
    """Return a table of bars: description, bound, figure reached, and verdict."""
    lines = []
    for outcome in outcomes:
        bar = outcome.bar
        bound = f"at {'least' if bar.at_most is None else 'most'} {quantity(bar.bound, bar.unit)}"
        value = "-" if outcome.value is None else quantity(outcome.value, bar.unit)
        lines.append((bar.text, bound, value, outcome.verdict))
    return table(("what", "bar", "reached", ""), lines, "llrl")


def case_table(result: CaseResult) -> str:
    """Return a table of one case: a row per setting, a column per contender.

    A cell has the median time of a call and, in brackets, its ratio to the reference; for epochs,
    to the epoch with uniform negatives. The reasons for missing figures are listed below.
    """
    fields = varying_fields(result)
    contenders = _distinct(each.contender for each in result.measurements)
    found = {(each.contender, each.setting): each for each in result.measurements}
    lines = []
    for setting in _distinct(each.setting for each in result.measurements):
        values = asdict(setting)
        cells = [_cell(result, found.get((contender, setting))) for contender in contenders]
        lines.append([*(_number(values[field]) for field in fields), *cells])
    heads = [*(HEADS.get(field, field) for field in fields), *contenders]
    return table(heads, lines, "r" * len(heads)) + _reasons(result)


def growth_table(growths: dict[str, list[Growth]]) -> str:
    """Return a table of exponents: a row per contender, a column per axis."""
    names = _distinct(each.contender for lines in growths.values() for each in lines)
    lines = [
        [
            name,
            *(
                next((f"{each.exponent:.2f}" for each in column if each.contender == name), "")
                for column in growths.values()
            ),
        ]
        for name in names
    ]
    heads = ["exponent of", *(HEADS.get(axis, axis) for axis in growths)]
    return table(heads, lines, "l" + "r" * len(growths))


def varying_fields(result: CaseResult) -> list[str]:
    """Return the fields in which the settings of a case differ."""
    tables = [asdict(each.setting) for each in result.measurements]
    return [field for field in tables[0] if len({each[field] for each in tables}) > 1]


def common_setting(result: CaseResult) -> str:
    """Return the fields that all settings of a case have in common, as text."""
    setting = result.measurements[0].setting
    left_out = set(varying_fields(result))
    if setting.law != "genni":
        left_out |= {"beta", "dim"}
    return ", ".join(
        f"{HEADS.get(field, field)} {_number(value)}"
        for field, value in asdict(setting).items()
        if field not in left_out
    )


def ratio_of(result: CaseResult, measurement: Measurement) -> float | None:
    """Return the median of a measurement over that of its reference; None if one is missing.

    The reference of GenNi, a matrix product, depends neither on k nor on exclusions: draws that
    differ in these share one.
    """
    setting = measurement.setting
    if measurement.seconds is None or result.measure != "time":
        return None
    if isinstance(setting, Epoch):
        reference = result.of(measurement.contender, dataset=setting.dataset, law="uniform")
    else:
        fields = asdict(setting)
        if setting.law == "genni":
            fields = {name: fields[name] for name in ("rows", "num_items", "dim", "beta")}
        reference = result.of(REFERENCES[setting.law], **fields)
    if reference is None or reference.seconds is None:
        return None
    return measurement.seconds.median / reference.seconds.median


def format_seconds(seconds: float) -> str:
    """Format a time with three digits and a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{three_digits(seconds / size)} {unit}"
    return f"{three_digits(seconds / 1e-9)} ns"


def format_bytes(count: float) -> str:
    """Format a size in MB, of 1,000,000 bytes."""
    return f"{count / 1e6:,.0f} MB" if count >= 1e7 else f"{count / 1e6:.1f} MB"


def quantity(value: float, unit: str) -> str:
    """Format a figure with three digits and its unit; bytes in MB."""
    if unit == "bytes":
        return format_bytes(value)
    return f"{three_digits(value)} {unit}"


def three_digits(value: float) -> str:
    """Format a figure with three significant digits, or as an integer from 100 on."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _cell(result: CaseResult, measurement: Measurement | None) -> str:
    if measurement is None:
        return ""
    if measurement.seconds is None:
        return f"*{measurement.status}*"
    took = format_seconds(measurement.seconds.median)
    if measurement.peak_bytes is not None:
        return f"{format_bytes(measurement.peak_bytes)} in {took}"
    ratio = ratio_of(result, measurement)
    return took if ratio is None else f"{took} ({three_digits(ratio)})"


def _reasons(result: CaseResult) -> str:
    """Return the reasons for missing figures, one line per contender and status."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for each in result.measurements:
        if each.seconds is None:
            reasons.setdefault((each.contender, each.status), []).append(each.reason)
    lines = [
        f"- {contender}, *{status}*: {'; '.join(_distinct(why))}\n"
        for (contender, status), why in reasons.items()
    ]
    return "".join(["\n", *lines]) if lines else ""


def _distinct(values: Any) -> list[Any]:
    """Return distinct values in order."""
    return list(dict.fromkeys(values))


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
