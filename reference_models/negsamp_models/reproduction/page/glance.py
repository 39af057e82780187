"""All claims of the paper in one table: a row per claim, a column per data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from negsamp_models.reproduction.page.claims import Outcome
from negsamp_models.reproduction.page.grid_tables import MISSING
from negsamp_models.reproduction.page.holm import rejected

__all__ = ["AVERAGE", "Entry", "corrected", "glance"]

AVERAGE = "average"
"""The column of claims on the mean over data sets."""

_WORDS: dict[Outcome, str] = {
    "holds": "holds",
    "does not hold": "**does not hold**",
    "undecided": "undecided",
    "missing": MISSING,
}


@dataclass(frozen=True)
class Entry:
    """A claim on a data set, or on the average.

    Attributes
    ----------
    claim, dataset : str
    outcome : {"holds", "does not hold", "undecided", "missing"}
    chance : float
        The p-value of its test.
    """

    claim: str
    dataset: str
    outcome: Outcome
    chance: float

    @property
    def is_decided(self) -> bool:
        """Whether its test alone rejects that the rows are equal."""
        return self.outcome in ("holds", "does not hold")


def corrected(entries: Sequence[Entry]) -> list[bool]:
    """Return which entries are decided also after the correction for the number of tests."""
    tested = [entry for entry in entries if entry.outcome != "missing"]
    found = iter(rejected([entry.chance for entry in tested]))
    kept = [entry.outcome != "missing" and next(found) for entry in entries]
    return [entry.is_decided and each for entry, each in zip(entries, kept, strict=True)]


def glance(entries: Sequence[Entry]) -> list[str]:
    """Return the lines of the table; several outcomes of one claim share a cell.

    The p-value is beside those that are decided, but not after the correction.
    """
    cells: dict[str, dict[str, list[str]]] = {}
    for entry, is_kept in zip(entries, corrected(entries), strict=True):
        words = _WORDS[entry.outcome]
        if entry.is_decided and not is_kept:
            words += f" (p {entry.chance:.1g})"
        cells.setdefault(entry.claim, {}).setdefault(entry.dataset, []).append(words)
    columns = list(dict.fromkeys(entry.dataset for entry in entries))
    columns.sort(key=lambda dataset: dataset == AVERAGE)
    lines = [f"| {' | '.join(['claim', *columns])} |", f"| --- |{' --- |' * len(columns)}"]
    for claim, row in cells.items():
        parts = [claim, *(", ".join(row.get(name, [])) for name in columns)]
        lines.append(f"| {' | '.join(parts)} |")
    return lines
