"""Tables for a console of any width: names wrap, figures stay whole, and nothing is cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

__all__ = ["print_whole", "whole_table"]

LEAST_NAME = 10
"""Characters a line that a name is given, however narrow the console."""

WIDE = 10_000
"""Characters a line, more than any table has."""


def whole_table(
    names: Sequence[str], figures: Sequence[str], rows: Iterable[Sequence[str]], **look: Any
) -> Table:
    """Return a table of names and, to their right, of figures; print it by `print_whole`.

    Parameters
    ----------
    names, figures : sequence of str
        Headings of the columns whose cells wrap, and of those whose cells do not.
    rows : iterable of sequence of str
        Cells in the order of the headings; they may hold markup.
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
        table.add_column(heading, overflow="fold", min_width=min(width, LEAST_NAME))
    for heading, width in zip(figures, widths[len(names) :], strict=True):
        table.add_column(heading, justify="right", no_wrap=True, min_width=width)
    for row in rows:
        table.add_row(*row)
    return table


def print_whole(console: Console, table: Table) -> None:
    """Print a table of `whole_table`; lines are longer than a console that is too narrow for it."""
    if console.width < (least := _least_width(console, table)):
        table.width = least
    console.print(table, crop=False)


def _least_width(console: Console, table: Table) -> int:
    """Return the width of a table whose columns all are as narrow as they may be."""
    for column in table.columns:
        column.max_width = column.min_width
    options = console.options.update(width=WIDE)
    least = Measurement.get(console, options, table).maximum
    for column in table.columns:
        column.max_width = None
    return least
