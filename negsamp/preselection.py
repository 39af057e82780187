"""The risk that a random subset of the catalogue leaves a row too few items to draw."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, lgamma

__all__ = ["Risk"]

NUM_ROWS = 10_000
"""Rows of the calls for which the warning states the risk."""


@dataclass(frozen=True)
class Risk:
    """The risk that a row has fewer admissible items among its candidates than it needs.

    Attributes
    ----------
    num_items : int
        Number of items in the catalogue.
    num_excluded : int
        Number of items that the row may not draw, its target included.
    num_candidates : int
        Number of distinct items that are pre-selected, uniformly.
    num_wanted : int
        Number of distinct items that the row has to draw.
    """

    num_items: int
    num_excluded: int
    num_candidates: int
    num_wanted: int

    @property
    def chance(self) -> float:
        """The probability for one row.

        The number of admissible candidates is hypergeometric; this is its lower tail,
        P(number < num_wanted).

        Examples
        --------
        >>> round(Risk(num_items=3, num_excluded=2, num_candidates=2, num_wanted=1).chance, 6)
        0.333333
        """
        admissible = self.num_items - self.num_excluded
        chance = 0.0
        for number in range(min(self.num_wanted, self.num_candidates + 1)):
            left = self.num_candidates - number
            if number <= admissible and left <= self.num_excluded:
                ways = _log_choose(admissible, number) + _log_choose(self.num_excluded, left)
                chance += exp(ways - _log_choose(self.num_items, self.num_candidates))
        return min(chance, 1.0)

    def message(self, beta: float, *, per_row: bool, is_start: bool) -> str:
        """Return the text of a warning.

        Parameters
        ----------
        beta : float
            The fraction that is pre-selected.
        per_row : bool
            Whether each row has its own subset, or all rows of a call share one.
        is_start : bool
            Whether this is only the first value of beta.

        Examples
        --------
        >>> from textwrap import fill
        >>> print(fill(Risk(1500, 1, 1, 1).message(1e-05, per_row=False, is_start=False), 80))
        beta = 1e-05 pre-selects 1 of 1,500 items for all rows of a call; a row that
        excludes it has nothing left to draw, which fails the whole call (probability
        0.0007 for a row with 1 excluded item, its target; up to 100% of calls with
        10,000 rows). Pre-select at least 2, as with beta = 0.002
        """
        enough = min(self.num_excluded + self.num_wanted, self.num_items)
        share = ceil(1000 * enough / self.num_items) / 1000
        scope = "for each row" if per_row else "for all rows of a call"
        remedy = "a beta that starts at" if is_start else "beta ="
        excluded = "item, its target" if self.num_excluded == 1 else "items, its target included"
        return (
            f"beta = {beta:g} pre-selects {self.num_candidates:,} of {self.num_items:,} items "
            f"{scope}; {self._failing_row}, which fails the whole call (probability "
            f"{self.chance:.1g} for a row with {self.num_excluded:,} excluded {excluded}; up to "
            f"{min(NUM_ROWS * self.chance, 1.0):.0%} of calls with {NUM_ROWS:,} rows). Pre-select "
            f"at least {enough:,}, as with {remedy} {share:g}"
        )

    @property
    def _failing_row(self) -> str:
        if self.num_wanted > 1:
            few = f"fewer than {self.num_wanted:,}"
            return f"a row whose exclusions leave {few} has too few to draw without replacement"
        them = "it" if self.num_candidates == 1 else "all of them"
        return f"a row that excludes {them} has nothing left to draw"


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
