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
        Such as an open file; values in double quotes may hold anything.
    user, item : str
        The columns of their names.
    time : str or None
        The column of numbers, or of dates as in ISO 8601, whose zone is UTC if they have none; None
        if the lines are in order of time. Actions of the same time stay in the order of the lines.
    delimiter : str
        One character between the columns.

    Returns
    -------
    Actions

    Raises
    ------
    DatasetError
        If a column is missing, or a line has too few columns, no user, no item or another kind of
        time than the first; the message names the line.
    """
    reader = csv.reader(lines, delimiter=delimiter)
    rows = _read(reader)
    header = next(rows, [])
    places = [_place(name, header) for name in (user, item)]
    when = None if time is None else _place(time, header)
    users, items, times = array("q"), array("q"), array("d")
    user_numbers: dict[str, int] = {}
    item_numbers: dict[str, int] = {}
    parse: Callable[[str], float] | None = None
    least = max(*places, when or 0) + 1
    for row in rows:
        if len(row) < least:
            raise _wrong(reader, f"has {len(row)} columns, and {least} are read")
        names = [row[place] for place in places]
        if not all(names):
            raise _wrong(reader, f"has no {(item if names[0] else user)!r}")
        users.append(user_numbers.setdefault(names[0], len(user_numbers)))
        items.append(item_numbers.setdefault(names[1], len(item_numbers)))
        if when is not None:
            parse = parse or _parser_of(row[when])
            try:
                times.append(parse(row[when]))
            except ValueError:
                wanted = "a number" if parse is _number else "a date, as in 2024-05-01T12:00:00"
                raise _wrong(reader, f"has {time} {row[when]!r}, which is not {wanted}") from None
    order = np.argsort(times, kind="stable") if times else np.arange(len(users))
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
        raise _wrong(reader, f"cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"after line {reader.line_num} a byte is not UTF-8 ({error}); save the file as UTF-8"
        ) from error


def _place(name: str, header: Sequence[str]) -> int:
    if name in header:
        return header.index(name)
    nearest = get_close_matches(name, header, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    raise DatasetError(
        f"the first line names no column {name!r}, but {', '.join(map(repr, header)) or 'none'}"
        f"{hint}"
    )


def _wrong(reader: Any, complaint: str) -> DatasetError:
    return DatasetError(f"line {reader.line_num} {complaint}")


def _parser_of(text: str) -> Callable[[str], float]:
    """Return the parser of a column of times, by its first value."""
    try:
        _number(text)
    except ValueError:
        return _date
    return _number


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
    kept = np.ones(len(users), bool)
    while True:
        enough = _often(users, kept, max(min_actions, MINIMUM_LENGTH))
        enough &= kept & _often(items, kept, min_actions)
        if np.array_equal(enough, kept):
            break
        kept = enough
    if not kept.any():
        raise DatasetError(
            f"no user and item of the {len(users)} actions have {min_actions} actions each, and "
            f"users {MINIMUM_LENGTH}: give fewer by min_actions (--min-actions), or more data"
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
