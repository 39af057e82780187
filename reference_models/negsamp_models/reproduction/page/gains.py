"""Mean gain of one row over another over data sets: a size, where a contrast tests a sign."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Gain, Grid
from negsamp_models.reproduction.page.claims import MARGIN, Outcome
from negsamp_models.reproduction.page.figures import Figure, figures_of
from negsamp_models.reproduction.page.means import (
    Variance,
    Verdict,
    apart,
    chance,
    combined,
    error_of,
)
from negsamp_models.reproduction.page.noise import SeedNoise
from negsamp_models.reproduction.page.paper import PaperFigure
from negsamp_models.reproduction.page.rankings import rankings

__all__ = ["Gained", "gained"]


@dataclass(frozen=True)
class Ranked:
    """A mean gain, for one way to rank test items.

    Attributes
    ----------
    ours, theirs : dict of str to float
        Percent, by name of the ranking of a data set; the paper's are computed from its table.
    error : float
        The standard error of our mean, in percent.
    verdict : {"inside", "above", "below"} or None
        Our mean relative to that which the paper states, less a margin; None if a data set is
        missing.
    chance : float
        The p-value of that comparison; 1 if a data set is missing.
    """

    ours: dict[str, float]
    theirs: dict[str, float]
    error: float
    verdict: Verdict | None
    chance: float


@dataclass(frozen=True)
class Gained:
    """A mean gain, in the paper and in our runs.

    Attributes
    ----------
    gain : Gain
    ways : tuple of Ranked
        One per way to rank test items.
    """

    gain: Gain
    ways: tuple[Ranked, ...]

    @property
    def outcome(self) -> Outcome:
        """Whether the size is confirmed, for all ways to rank test items.

        As in a contrast that expects "not below", the ratio of the two rows may be at most 5 % less
        than the one that the paper states.
        """
        verdicts = {way.verdict for way in self.ways}
        if None in verdicts:
            return "missing"
        if verdicts == {"below"}:
            return "does not hold"
        return "holds" if verdicts == {"above"} else "undecided"

    @property
    def chance(self) -> float:
        """The p-value of the claim: the largest of the ways to rank test items."""
        return max(way.chance for way in self.ways)

    @property
    def words(self) -> str:
        """Our gain beside the paper's, in words; empty without runs."""
        if not (known := [way for way in self.ways if way.ours]):
            return ""
        ours = "; ".join(
            dict.fromkeys(f"{_average(way.ours)}, standard error {way.error:.1f}" for way in known)
        )
        return (
            f"{self.gain.row} against {self.gain.other}, {self.gain.metric}: {ours}; "
            f"the paper states {self.gain.printed:+g} %, its table gives "
            f"{_average({name.partition(',')[0]: gain for name, gain in known[0].theirs.items()})}"
        )


def gained(grid: Grid, results: Mapping[str, RunResult], noise: SeedNoise) -> Iterator[Gained]:
    """Yield the mean gains that a grid declares."""
    for gain in grid.gains:
        on = [each for each in grid.datasets if not gain.datasets or each in gain.datasets]
        if not on:
            continue
        rankings_of = {dataset: rankings(dataset, results) for dataset in on}
        ways = []
        for way in range(max(map(len, rankings_of.values()))):
            pairs = {}
            for dataset, each in rankings_of.items():
                name, masked = each[min(way, len(each) - 1)]
                figures = {
                    cell.row: figures_of(grid, cell, results, noise, masked)[gain.metric]
                    for cell in grid.cells_on(dataset)
                }
                pairs[name] = figures[gain.row], figures[gain.other]
            ways.append(_averaged(pairs, gain.printed))
        yield Gained(gain, tuple(ways))


def _average(gains: Mapping[str, float]) -> str:
    """Return gains in words: the mean and each, or the only one."""
    each = ", ".join(f"{name} {gain:+.1f}" for name, gain in gains.items())
    if len(gains) == 1:
        return f"{each} %"
    return f"{fmean(gains.values()):+.1f} % on average ({each})"


def _averaged(pairs: Mapping[str, tuple[Figure, Figure]], printed: float) -> Ranked:
    ours = _ratios(pairs)
    theirs = _ratios({name: (one.theirs, other.theirs) for name, (one, other) in pairs.items()})
    if not ours:
        return Ranked({}, _percent(theirs), 0.0, None, 1.0)
    mean, variance = _mean([*ours.values()])
    bound = (1 - MARGIN) * (1 + printed / 100)
    compared = math.log(mean), math.log(bound), combined([(1 / mean, variance)])
    is_whole = len(ours) == len(pairs)
    return Ranked(
        _percent(ours),
        _percent(theirs),
        error=100 * error_of(variance),
        verdict=apart(*compared) if is_whole else None,
        chance=chance(*compared) if is_whole else 1.0,
    )


AFigure = Figure | PaperFigure | None
Ratio = tuple[float, Variance]
"""A ratio of two means, and its squared standard error."""


def _ratios(pairs: Mapping[str, tuple[AFigure, AFigure]]) -> dict[str, Ratio]:
    """Return the ratios of the pairs of which both figures are known."""
    return {name: ratio for name, pair in pairs.items() if (ratio := _ratio(*pair))}


def _ratio(one: AFigure, other: AFigure) -> Ratio | None:
    if one is None or other is None or one.mean is None or other.mean is None:
        return None
    ratio = one.mean / other.mean
    terms = ((ratio / one.mean, one.variance), (ratio / other.mean, other.variance))
    return ratio, combined(terms)


def _mean(ratios: Sequence[Ratio]) -> Ratio:
    share = 1 / len(ratios)
    return fmean(ratio for ratio, _ in ratios), combined((share, each) for _, each in ratios)


def _percent(ratios: Mapping[str, Ratio]) -> dict[str, float]:
    return {name: 100 * (ratio - 1) for name, (ratio, _) in ratios.items()}
