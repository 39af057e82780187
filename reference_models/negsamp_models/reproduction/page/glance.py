"""All claims of the paper in one table: a row per claim, a column per data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from negsamp_models.reproduction.page.claims import Outcome
from negsamp_models.reproduction.page.grid_tables import MISSING

__all__ = ["AVERAGE", "glance"]

AVERAGE = "average"
"""The column of claims on the mean over data sets."""

_WORDS: dict[Outcome, str] = {
    "holds": "holds",
    "does not hold": "**does not hold**",
    "undecided": "undecided",
    "missing": MISSING,
}


def glance(entries: Iterable[tuple[str, str, Outcome]]) -> Iterator[str]:
    """Yield the lines of the table.

    Parameters
    ----------
    entries : iterable of tuple of str
        Claim, data set and outcome. Several outcomes of one claim share a cell.
    """
    cells: dict[str, dict[str, list[str]]] = {}
    for claim, dataset, outcome in entries:
        cells.setdefault(claim, {}).setdefault(dataset, []).append(_WORDS[outcome])
    columns = list(dict.fromkeys(dataset for row in cells.values() for dataset in row))
    columns.sort(key=lambda dataset: dataset == AVERAGE)
    yield f"| {' | '.join(['claim', *columns])} |"
    yield f"| --- |{' --- |' * len(columns)}"
    for claim, row in cells.items():
        yield f"| {' | '.join([claim, *(', '.join(row.get(name, [])) for name in columns)])} |"
