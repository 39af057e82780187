"""A log of actions as a data set: read, cut to those who have enough, and numbered."""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt

from negsamp_models.datasets.dataset import MINIMUM_LENGTH, Dataset, DatasetError
from negsamp_models.datasets.sequences import Int64Array, Sequences
from negsamp_models.wording import plural

__all__ = ["Actions", "NamedDataset", "dataset_of", "read_actions"]


@dataclass(frozen=True, eq=False)
class Actions:
    """What users did, in order of time.

    Attributes
    ----------
    users, items : int64, shape (num_actions,)
        Places in the lists of names.
    user_names, item_names : list of str
    """

    users: Int64Array
    items: Int64Array
    user_names: list[str]
    item_names: list[str]


@dataclass(frozen=True, eq=False)
class NamedDataset:
    """A data set with the names behind its numbers.

    Attributes
    ----------
    dataset : Dataset
    user_names, item_names : list of str
        The first is the name of user 1 or item 1.
    """

    dataset: Dataset
    user_names: list[str]
    item_names: list[str]


def read_actions(
    lines: Iterable[str],
    user: str = "user",
    item: str = "item",
    time: str | None = "timestamp",
    delimiter: str = ",",
) -> Actions:
    """Read a table of actions, one a line, whose first line names the columns.

    Parameters
    ----------
    lines : iterable of str
        Such as a file opened with ``newline=""`` and ``encoding="utf-8-sig"``, which skips the mark
        that some programs begin a file with; values in double quotes may hold anything.
    user, item : str
        The columns of their names.
    time : str or None
        The column of numbers, or of dates as in ISO 8601, whose zone is UTC if they have none; None
        if the lines are in order of time. Actions of the same time stay in the order of the lines.
        Whole numbers of 64 bits, such as nanoseconds, are compared exactly, dates to the
        microsecond.
    delimiter : str
        One character between the columns.

    Returns
    -------
    Actions

    Raises
    ------
    DatasetError
        If a column is missing or there twice, a quote is not closed, or a line has too few columns,
        no user, no item, no time or another kind of time than the first; the message names the
        line.
    """
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    rows = _read(reader)
    header = next(rows, [])
    names = [user, item] if time is None else [user, item, time]
    places = [_place(name, header, delimiter) for name in names]
    users, items, times = array("q"), array("q"), _Times()
    user_numbers: dict[str, int] = {}
    item_numbers: dict[str, int] = {}
    least = max(places) + 1
    for row in rows:
        if len(row) < least:
            raise _wrong(reader, f"has {len(row)} columns, and {least} are read")
        cells = [row[place] for place in places]
        if not all(cells):
            raise _wrong(reader, f"has no {names[cells.index('')]!r}")
        users.append(user_numbers.setdefault(cells[0], len(user_numbers)))
        items.append(item_numbers.setdefault(cells[1], len(item_numbers)))
        if time is not None:
            try:
                times.append(cells[2])
            except ValueError as error:
                raise _wrong(reader, f"has {time} {cells[2]!r}, which is not {error}") from None
    order = np.arange(len(users)) if time is None else np.argsort(times.values, kind="stable")
    return Actions(
        np.array(users, np.int64)[order],
        np.array(items, np.int64)[order],
        list(user_numbers),
        list(item_numbers),
    )


def _read(reader: Any) -> Iterator[list[str]]:
    """Yield the rows but empty lines."""
    try:
        yield from filter(None, reader)
    except csv.Error as error:
        raise _wrong(
            reader, f"cannot be read: {error}; what begins with a quote must end with one"
        ) from error
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"after line {reader.line_num} a byte is not UTF-8 ({error}); save the file as UTF-8, "
            "or unpack it if it is compressed"
        ) from error


def _place(name: str, header: Sequence[str], delimiter: str) -> int:
    if (count := header.count(name)) > 1:
        raise DatasetError(f"the first line names {count} columns {name!r}: rename one")
    if name in header:
        return header.index(name)
    nearest = get_close_matches(name, header, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    if len(header) == 1:
        hint = f"; are columns separated by {delimiter!r}? Else give another --delimiter"
    raise DatasetError(
        f"the first line names no column {name!r}, but {', '.join(map(repr, header)) or 'none'}"
        f"{hint}"
    )


def _wrong(reader: Any, complaint: str) -> DatasetError:
    return DatasetError(f"line {reader.line_num} {complaint}")


class _Times:
    """A column of times, all of the kind of the first: numbers or dates.

    Attributes
    ----------
    values : array
        int64 while all are whole numbers of 64 bits, float64 from the first other one on.
    """

    def __init__(self) -> None:
        self.values: array[Any] = array("q")
        self._parse: Callable[[str], float] = int

    def append(self, text: str) -> None:
        """Add a time, or raise ValueError with what is wanted."""
        try:
            self.values.append(self._parse(text))
        except (ValueError, OverflowError):
            if self._parse is not int:
                is_number = self._parse is _number
                wanted = "a number" if is_number else "a date, as in 2024-05-01T12:00:00"
                raise ValueError(wanted) from None
            self._parse = _number if self.values or _is_number(text) else _date
            self.values = array("d", self.values)
            self.append(text)


def _is_number(text: str) -> bool:
    try:
        _number(text)
    except ValueError:
        return False
    return True


def _number(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(text)
    return number


def _date(text: str) -> float:
    date = datetime.fromisoformat(text)
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def dataset_of(name: str, actions: Actions, min_actions: int = 5) -> NamedDataset:
    """Keep the users and items with enough actions, and number them as they first appear.

    Items with fewer than `min_actions` actions are removed, and users with fewer than that or than
    `MINIMUM_LENGTH`, until all that are left have enough: with 5, as the paper's data sets are cut.

    Raises
    ------
    DatasetError
        If nothing is left.
    """
    users, items = actions.users, actions.items
    least = max(min_actions, MINIMUM_LENGTH)
    kept = np.ones(len(users), bool)
    while True:
        enough = kept & _often(users, kept, least) & _often(items, kept, min_actions)
        if np.array_equal(enough, kept):
            break
        kept = enough
    if not kept.any():
        fewer = "a smaller min_actions (--min-actions), or " if min_actions > 1 else ""
        raise DatasetError(
            f"nothing is left of {plural(len(users), 'action')} by users of {least} or more, with "
            f"items of {min_actions} or more: give {fewer}more data"
        )
    user_numbers, first_users = _numbered(users[kept])
    item_numbers, first_items = _numbered(items[kept])
    by_user = np.argsort(user_numbers, kind="stable")
    offsets = np.concatenate(([0], np.cumsum(np.bincount(user_numbers))))
    sequences = Sequences(item_numbers[by_user] + 1, offsets)
    return NamedDataset(
        Dataset(name, sequences, len(first_items)),
        [actions.user_names[user] for user in first_users],
        [actions.item_names[item] for item in first_items],
    )


def _often(values: Int64Array, kept: npt.NDArray[np.bool_], count: int) -> npt.NDArray[np.bool_]:
    """Return for each action whether its value occurs `count` times among those kept."""
    counts = np.bincount(values[kept], minlength=int(values.max(initial=0)) + 1)
    return np.asarray(counts[values] >= count)


def _numbered(values: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return numbers from 0 for values as they first appear, and the values by number."""
    distinct, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(first)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.arange(len(order))
    return numbers[inverse], distinct[order]
