"""Tables for a console of any width: names wrap, numbers do not, and nothing is truncated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

__all__ = ["print_whole", "whole_table"]

MIN_NAME_WIDTH = 10
"""Least width of a column of names, in characters, however narrow the console is."""

UNLIMITED_WIDTH = 10_000
"""Width at which tables are measured, in characters; wider than any table."""


def whole_table(
    names: Sequence[str], figures: Sequence[str], rows: Iterable[Sequence[str]], **look: Any
) -> Table:
    """Return a table of names followed by numbers; print it with `print_whole`.

    Parameters
    ----------
    names, figures : sequence of str
        Headings of the columns that wrap, and of those that do not.
    rows : iterable of sequence of str
        Cells in the order of the headings; rich markup is allowed.
    **look
        As for :class:`rich.table.Table`.
    """
    rows = list(rows)
    widths = [
        max(Text.from_markup(cell).cell_len for cell in column)
        for column in zip([*names, *figures], *rows, strict=True)
    ]
    table = Table(**look)
    for heading, width in zip(names, widths, strict=False):
        table.add_column(heading, overflow="fold", min_width=min(width, MIN_NAME_WIDTH))
    for heading, width in zip(figures, widths[len(names) :], strict=True):
        table.add_column(heading, justify="right", no_wrap=True, min_width=width)
    for row in rows:
        table.add_row(*row)
    return table


def print_whole(console: Console, table: Table) -> None:
    """Print a table of `whole_table`; its lines may be longer than a narrow console is wide."""
    if console.width < (least := _least_width(console, table)):
        table.width = least
    console.print(table, crop=False)


def _least_width(console: Console, table: Table) -> int:
    """Return the width of a table with all columns at their minimum width."""
    for column in table.columns:
        column.max_width = column.min_width
    options = console.options.update(width=UNLIMITED_WIDTH)
    least = Measurement.get(console, options, table).maximum
    for column in table.columns:
        column.max_width = None
    return least
