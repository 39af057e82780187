"""Excluded columns of the rows of a chunk: one ascending list per row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from negsamp_numba.compiling import kernel, part
from negsamp_numba.rows import Integers, Lists
from negsamp_numba.search import first_above

__all__ = ["Columns", "insert_column", "list_columns"]


class Columns(NamedTuple):
    """Excluded columns of each row, ascending and distinct, with room to append drawn ones.

    Attributes
    ----------
    columns : int64
        The lists of all rows, one after another.
    first : int64, shape (rows,)
        Where the list of each row begins.
    length : int64, shape (rows,)
        How long it is.
    """

    columns: Integers
    first: Integers
    length: Integers


@kernel
def list_columns(
    own: Integers, users: Integers, lists: Lists, candidates: Integers | None, room: int
) -> Columns:
    """Merge the two lists of each row, `own` and that of its user, and reserve `room` behind them.

    A column is a position in the catalogue or, with `candidates`, an index into the row's ascending
    candidates: of shape (1, count) for all rows, or (rows, count).
    """
    num_rows, num_own = own.shape
    first, length = np.empty(num_rows, np.int64), np.zeros(num_rows, np.int64)
    size = 0
    for row in range(num_rows):
        first[row] = size
        size += num_own + lists.offsets[users[row] + 1] - lists.offsets[users[row]] + room
    columns = np.empty(size, np.int64)
    for row in range(num_rows):
        i, j, end = 0, lists.offsets[users[row]], lists.offsets[users[row] + 1]
        previous = -1
        while i < num_own or j < end:
            if j == end or (i < num_own and own[row, i] <= lists.item_ids[j] - lists.start):
                place, i = own[row, i], i + 1
            else:
                place, j = np.int64(lists.item_ids[j] - lists.start), j + 1
            if place <= previous:
                continue
            previous = place
            column = _column_of(place, candidates, row)
            if column >= 0:
                columns[first[row] + length[row]] = column
                length[row] += 1
    return Columns(columns, first, length)


@part()
def _column_of(place: int, candidates: Integers | None, row: int) -> int:
    """Return the column of a position, -1 if it is no candidate."""
    if candidates is None:
        return place
    line = candidates[min(row, len(candidates) - 1)]
    column = first_above(line, 0, len(line), place - 1)
    return column if column < len(line) and line[column] == place else -1


@part()
def insert_column(excluded: Columns, row: int, column: int) -> None:
    """Insert one column into the list of a row, which must have room."""
    at = excluded.first[row] + excluded.length[row]
    while at > excluded.first[row] and excluded.columns[at - 1] > column:
        excluded.columns[at] = excluded.columns[at - 1]
        at -= 1
    excluded.columns[at] = column
    excluded.length[row] += 1
