"""The Markdown report on a folder of result files; without files it says "not measured"."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu.bars import all_lines
from benchmarks.gpu.parts import PARTS
from benchmarks.gpu.records import PartResult, read_parts
from benchmarks.records import Measurement
from benchmarks.reporting.tables import format_bytes, format_seconds, table
from negsamp_models.files.writing import write_text

__all__ = ["REPORT", "render", "write_report"]

REPORT = "report.md"


def write_report(folder: Path) -> str:
    """Write ``report.md`` from the result files of a folder and return it.

    Raises
    ------
    ValueError
        If a file is not the result of a part, or is of a quick run.
    """
    text = render(read_parts(folder))
    write_text(folder / REPORT, text)
    return text


def render(results: Sequence[PartResult]) -> str:
    """Return the report on the results of some parts, or of none."""
    lines = [
        (line.text, line.bound, line.reached, _mark(line.met))
        for line in all_lines([part.name for part in PARTS], results)
    ]
    parts = [
        "# On a GPU\n",
        _surroundings(results),
        table(("what", "bar", "reached", ""), lines, "llrl"),
    ]
    measured = [each for result in results for each in result.measurements]
    if measured:
        parts.append("Medians of one call:\n")
        heads = ("setting", "who", "time", "memory above the inputs")
        parts.append(table(heads, [_measured(each) for each in measured], "llrr"))
    return "\n".join(parts)


def _mark(met: bool | None) -> str:
    return "" if met is None else "met" if met else "**missed**"


def _surroundings(results: Sequence[PartResult]) -> str:
    """Return a paragraph about the environment of the parts, one per distinct environment."""
    if not results:
        return "Nothing has been measured on a GPU yet.\n"
    found: dict[str, list[str]] = {}
    for result in results:
        known = result.conditions
        versions = ", ".join(f"{name} {version}" for name, version in known["versions"].items())
        text = f"measured on {known['machine']}; {versions}; source {known['source']}"
        if clocks := known["clocks"]:
            text += f"; {', '.join(f'{name} {value}' for name, value in clocks.items())}"
        found.setdefault(text, []).append(result.part)
    return "".join(f"{', '.join(names)}: {text}.\n\n" for text, names in found.items())


def _measured(measurement: Measurement) -> tuple[str, str, str, str]:
    setting = measurement.setting
    fields = {name: value for name, value in vars(setting).items() if value != "target"}
    described = ", ".join(
        f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}"
        for name, value in fields.items()
    )
    if measurement.seconds is None:
        return described, measurement.contender, f"*{measurement.status}*: {measurement.reason}", ""
    peak = measurement.peak_bytes
    took = format_seconds(measurement.seconds.median)
    return described, measurement.contender, took, "" if peak is None else format_bytes(peak)
