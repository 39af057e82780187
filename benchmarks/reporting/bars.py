"""Bars: performance targets on two cores, and whether they are met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.contenders import REFERENCES
from benchmarks.contenders.bare_products import PRODUCT
from benchmarks.contenders.tensorflow_graphs import COMPILED
from benchmarks.contenders.tensorflow_matrix import CATEGORICAL
from benchmarks.contenders.torch_matrix import CUMSUM, SOFTMAX
from benchmarks.records import CaseResult

__all__ = ["Bar", "Figure", "Outcome", "all_bars"]

UNITS = {"seconds": "s", "peak_bytes": "bytes", "draws_per_second": "draws/s"}


@dataclass(frozen=True)
class Figure:
    """One figure in the results.

    Attributes
    ----------
    case, contender, threads
        Name of the case, contender, and number of threads.
    setting : mapping
        Fields that select its setting among those of the case.
    quantity : {"seconds", "peak_bytes", "draws_per_second"}
        The median time of a call, the peak of memory, or draws per second.
    """

    case: str
    contender: str
    setting: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 2
    quantity: Literal["seconds", "peak_bytes", "draws_per_second"] = "seconds"

    def look_up(self, results: Sequence[CaseResult]) -> tuple[float | None, str]:
        """Return the figure, or None and the reason."""
        for result in results:
            if (result.name, result.threads) != (self.case, self.threads):
                continue
            found = result.of(self.contender, **self.setting)
            if found is None:
                return None, f"{self.contender} does not take part in {self.case}"
            if self.quantity == "peak_bytes" and found.peak_bytes is not None:
                return float(found.peak_bytes), ""
            if self.quantity == "seconds" and found.seconds is not None:
                return found.seconds.median, ""
            if found.draws_per_second is not None and self.quantity == "draws_per_second":
                return found.draws_per_second, ""
            return None, f"{self.contender} is {found.status}: {found.reason}"
        return None, f"{self.case} was not run with threads = {self.threads}"


@dataclass(frozen=True)
class Bar:
    """A bound on a figure, or on the ratio of two figures.

    Attributes
    ----------
    text : str
        Description in the report.
    value, over : Figure
        The figure, and its divisor; `over` is None if the figure itself is bounded.
    at_most, at_least : float or None
        The bound, exactly one of the two; in seconds, bytes, draws per second, or as a ratio.
    """

    text: str
    value: Figure
    over: Figure | None = None
    at_most: float | None = None
    at_least: float | None = None

    @property
    def unit(self) -> str:
        """Unit of the figure: "times", "s", "bytes" or "draws/s"."""
        return UNITS[self.value.quantity] if self.over is None else "times"

    @property
    def bound(self) -> float:
        """The bound that is set."""
        bounds = [each for each in (self.at_most, self.at_least) if each is not None]
        if len(bounds) != 1:
            raise ValueError(f"bar {self.text!r} needs one of at_most and at_least")
        return bounds[0]

    def outcome(self, results: Sequence[CaseResult]) -> Outcome:
        """Check the results against the bar."""
        value, reason = self.value.look_up(results)
        if value is not None and self.over is not None:
            divisor, reason = self.over.look_up(results)
            value = None if divisor is None else value / divisor
        return Outcome(self, value, reason)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a bar.

    Attributes
    ----------
    bar : Bar
        The bar.
    value : float or None
        The figure reached; None if not measured.
    reason : str
        Why it was not measured.
    """

    bar: Bar
    value: float | None
    reason: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the bar was met; None if it was not measured."""
        if self.value is None:
            return None
        if self.bar.at_most is not None:
            return self.value <= self.bar.bound
        return self.value >= self.bar.bound

    @property
    def verdict(self) -> str:
        """Met or missed, and by which fraction of the bound."""
        if self.value is None:
            return f"not measured: {self.reason}"
        share = abs(self.value / self.bar.bound - 1)
        return f"{'met' if self.met else '**missed**'} by {share:.0%}"


def all_bars(backend: str) -> list[Bar]:
    """Return the bars for a backend."""
    ours = f"negsamp {backend}"

    def draw(contender: str, **changed: Any) -> Figure:
        first = {"beta": 1.0, "num_negatives": 1, "exclude": "target"}
        return Figure("genni-batch", contender, first | changed)

    def by_weight(law: str, contender: str) -> Figure:
        return Figure(law, contender, {"num_items": 12_101, "num_negatives": 1}, threads=1)

    def memory(rows: int, num_items: int) -> Figure:
        setting = {"rows": rows, "num_items": num_items}
        return Figure("memory", ours, setting, quantity="peak_bytes")

    drawn, peers = draw(ours), (SOFTMAX, CUMSUM, CATEGORICAL)
    epoch = Figure("epoch-beauty", ours, {"law": "genni", "beta": 1.0})
    uniform, popularity = (by_weight(law, ours) for law in ("uniform", "popularity"))
    integers = by_weight("uniform", REFERENCES["uniform"])
    size, all_out = "GenNi draw, 1,500 x 12,101 x 64", "all interactions excluded"
    return [
        Bar(f"{size}, relative to NumPy's matrix product", drawn, draw(PRODUCT), at_most=1.3),
        Bar(f"{SOFTMAX}, relative to that draw", draw(SOFTMAX), drawn, at_least=12),
        *(
            Bar(f"{peer}, relative to that draw", draw(peer), drawn, at_least=1)
            for peer in peers[1:]
        ),
        *(
            Bar(
                f"{peer}, 10 negatives, relative to that draw of 10",
                draw(peer, num_negatives=10),
                draw(ours, num_negatives=10),
                at_least=1,
            )
            for peer in peers
        ),
        Bar(
            f"{SOFTMAX}, 256 negatives, relative to a GenNi draw of 256, 512 x 12,101 x 64",
            Figure("growth-negatives", SOFTMAX, {"num_negatives": 256}),
            Figure("growth-negatives", ours, {"num_negatives": 256}),
            at_least=1,
        ),
        Bar(
            f"GenNi draw with {all_out}, relative to one with the target excluded",
            draw(ours, exclude="interactions"),
            drawn,
            at_most=1.1,
        ),
        Bar(
            "GenNi draw with beta = 0.1, relative to beta = 1",
            draw(ours, beta=0.1),
            drawn,
            at_most=0.2,
        ),
        Bar(
            f"RecBole's uniform sampler, relative to uniform with {all_out}, one core",
            by_weight("uniform", "RecBole uniform"),
            uniform,
            at_least=10,
        ),
        Bar(
            f"uniform with {all_out}, relative to NumPy's random integers, one core",
            uniform,
            integers,
            at_most=5,
        ),
        Bar(
            f"RecBole's popularity sampler, relative to popularity with {all_out}, one core",
            by_weight("popularity", "RecBole popularity"),
            popularity,
            at_least=10,
        ),
        Bar(
            "memory above the inputs, GenNi draw, 12,800 x 1,000,000 x 64",
            memory(12_800, 1_000_000),
            at_most=256e6,
        ),
        Bar("the same for 256 x 10,000,000 x 64", memory(256, 10**7), at_most=256e6),
        Bar(
            "tf.random.categorical over all scores, relative to a GenNi draw under XLA",
            Figure("tensorflow", CATEGORICAL),
            Figure("tensorflow", COMPILED),
            at_least=2.5,
        ),
        Bar("epoch of SASRec on Beauty, GenNi, beta = 1 (paper, V100: 6.3 s)", epoch, at_most=6.3),
    ]
