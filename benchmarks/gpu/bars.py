"""Bars: performance targets on an H100-class GPU, and whether they are met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.gpu.contenders import ARITHMETIC, BY_WEIGHT, PRODUCT, library, matrix
from benchmarks.gpu.epochs import CAPTURED, PACKED
from benchmarks.gpu.records import PartResult
from benchmarks.reporting.bars import Bar, Figure
from benchmarks.reporting.tables import quantity

__all__ = ["Line", "all_lines", "bars_of"]

LARGEST_PEAK = 64e6
"""Bytes above the inputs of a draw, at most."""
DRAWS_PER_SECOND = 1e9
"""Draws by weight per second, at least."""
EPOCH_SECONDS = 0.3
"""Seconds of an epoch on Beauty with uniform negatives, at most."""


@dataclass(frozen=True)
class Line:
    """A row of the table: a bar and its outcome.

    Attributes
    ----------
    part, text, bound, reached : str
        Text of the cells; `reached` is "not measured" without a figure.
    met : bool or None
        Whether the bar is met; None without a figure.
    """

    part: str
    text: str
    bound: str
    reached: str
    met: bool | None


def bars_of(part: str) -> list[Bar]:
    """Return the bars of a part; none for parts that run tests."""
    return {"table": _draws, "epochs": _epochs}[part]() if part in ("table", "epochs") else []


def all_lines(parts: Sequence[str], results: Sequence[PartResult]) -> list[Line]:
    """Check the results against the bars of their parts, in the order of `parts`."""
    lines = []
    for part in parts:
        result = next((each for each in results if each.part == part), None)
        if not bars_of(part):
            lines.append(_tests(part, result))
        for bar in bars_of(part):
            found = bar.outcome([result.as_case()]) if result is not None else None
            side = "least" if bar.at_most is None else "most"
            missing = "not measured" if found is None else f"not measured: {found.reason}"
            lines.append(
                Line(
                    part,
                    bar.text,
                    f"at {side} {quantity(bar.bound, bar.unit)}",
                    missing
                    if found is None or found.value is None
                    else quantity(found.value, bar.unit),
                    None if found is None else found.met,
                )
            )
    return lines


def _tests(part: str, result: PartResult | None) -> Line:
    text = f"{part}: the tests of the suite, on CUDA"
    passed = failed = 0
    if result is not None:
        passed = sum(each.passed for each in result.tests)
        failed = sum(each.failed for each in result.tests)
    if result is None or passed + failed == 0:
        return Line(part, text, "all pass", "not measured", None)
    rest = f", {failed} failed" if failed else ""
    rest += "" if result.whole else ", incomplete"
    return Line(part, text, "all pass", f"{passed} passed{rest}", result.passed)


def _draws() -> list[Bar]:
    def draw(contender: str, num_items: int = 12_101, **changed: Any) -> Figure:
        setting = {"rows": 12_800, "num_items": num_items, "law": "genni"}
        return Figure("table", contender, setting, 1, **changed)

    def by_weight(law: str, rows: int, num_negatives: int) -> Bar:
        setting = {"law": law, "rows": rows, "num_negatives": num_negatives}
        figure = Figure("table", BY_WEIGHT, setting, 1, "draws_per_second")
        shape = f"{rows:,} rows, k = {num_negatives}"
        return Bar(f"{law}, {shape}, all interactions excluded", figure, at_least=DRAWS_PER_SECOND)

    size, large = "GenNi draw, 12,800 x 12,101 x 64", "GenNi draw, 12,800 x 1,000,000 x 64"
    return [
        *(
            Bar(f"{matrix(dtype)}, over the {size}", draw(matrix(dtype)), ours, at_least=10)
            for dtype in ("float32", "bfloat16")
            for ours in [draw(library(dtype))]
        ),
        Bar(
            f"{size}, bfloat16, over the bare product",
            draw(library("bfloat16")),
            draw(PRODUCT),
            at_most=2,
        ),
        Bar(
            f"{large}, bfloat16, memory above the inputs",
            draw(library("bfloat16"), 1_000_000, quantity="peak_bytes"),
            at_most=LARGEST_PEAK,
        ),
        Bar(
            f"{large}, bfloat16, over its arithmetic alone",
            draw(library("bfloat16"), 1_000_000),
            draw(ARITHMETIC, 1_000_000),
            at_most=2,
        ),
        *(
            by_weight(law, *shape)
            for law in ("uniform", "popularity")
            for shape in ((12_800, 100), (1_000_000, 1))
        ),
    ]


def _epochs() -> list[Bar]:
    def epoch(contender: str, law: str) -> Figure:
        return Figure("epochs", contender, {"dataset": "Beauty", "law": law}, 1)

    return [
        bar
        for contender, way in ((PACKED, "packed"), (CAPTURED, "as CUDA graphs"))
        for genni, uniform in [(epoch(contender, "genni"), epoch(contender, "uniform"))]
        for bar in (
            Bar(f"epoch of SASRec on Beauty, {way}, uniform", uniform, at_most=EPOCH_SECONDS),
            Bar(
                f"epoch of SASRec on Beauty, {way}, GenNi, beta = 1, over uniform",
                genni,
                uniform,
                at_most=1.1,
            ),
        )
    ]
