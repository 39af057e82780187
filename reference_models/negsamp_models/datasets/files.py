"""Read sequence and attribute files; errors name the file, the line and the problem."""

from __future__ import annotations

import json
import re
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from negsamp_models.datasets.dataset import (
    MINIMUM_LENGTH,
    Dataset,
    DatasetError,
    ItemAttributes,
)
from negsamp_models.datasets.sequences import Int64Array, Sequences
from negsamp_models.wording import plural

__all__ = ["read_attributes", "read_dataset", "read_sequences"]

_ID = "[0-9]{1,18}"
_LINE = re.compile(rf"[ \t]*{_ID}(?:[ \t]+{_ID})*[ \t]*")
_LARGEST_ID = 10**18 - 1


def read_dataset(
    sequences: Path,
    attributes: Path | None = None,
    *,
    name: str | None = None,
    description: str = "",
) -> Dataset:
    """Read a data set from its sequence file and, if given, its attribute file.

    Parameters
    ----------
    sequences, attributes : Path
        See `read_sequences` and `read_attributes`.
    name : str, optional
        By default the name of the sequence file without its suffix.
    description : str
        One sentence on where the data come from.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError
        If a file cannot be read or is invalid.
    """
    rows = read_sequences(sequences)
    num_items = int(rows.item_ids.max())
    return Dataset(
        name=sequences.stem if name is None else name,
        sequences=rows,
        num_items=num_items,
        attributes=None if attributes is None else read_attributes(attributes, num_items),
        description=description,
    )


def read_sequences(path: Path) -> Sequences:
    """Read a sequence file: one user per line, ``user item item ...``, items in time order.

    User ids are 1, 2, 3, ... in the order of the lines. Item ids are 1 to the number of items,
    each used at least once; 0 is padding. A user has at least 4 items, `MINIMUM_LENGTH`. Ids are
    separated by spaces or tabs; the text is UTF-8 with lines that end in LF or CR LF.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Sequences
        Sequence u belongs to user u + 1 of the file.

    Raises
    ------
    DatasetError
        If the file cannot be read, is empty or is not UTF-8; if a line is blank or holds anything
        but ids; if users are repeated, missing or out of order; if a user has too few items; if an
        item id is skipped. The message names the file and the line.
    """
    text = _text(path)
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        if not _LINE.fullmatch(line):
            raise DatasetError(f"{path}, line {number}: {_complaint(line)}")
    rows = [line.split() for line in lines]
    ids = np.fromiter(map(int, chain.from_iterable(rows)), np.int64)
    offsets = np.concatenate(([0], np.cumsum([len(row) for row in rows])))
    starts = offsets[:-1]
    _check_users(path, ids[starts])
    _check_lengths(path, np.diff(offsets) - 1)
    is_item = np.ones(len(ids), dtype=bool)
    is_item[starts] = False
    sequences = Sequences(ids[is_item], offsets - np.arange(len(offsets)))
    _check_items(path, sequences)
    return sequences


def read_attributes(path: Path, num_items: int) -> ItemAttributes:
    """Read an attribute file: a JSON object from item id to the list of its attribute ids.

    Attribute ids are whole numbers from 1. An item that is not in the file has no attributes.

    Parameters
    ----------
    path : Path
        The file, in UTF-8.
    num_items : int
        Largest item id of the sequences.

    Returns
    -------
    ItemAttributes
        In the order of the file's lists; an id that a list repeats is repeated.

    Raises
    ------
    DatasetError
        If the file cannot be read, is not UTF-8 or not JSON, or is not one object; if an item is
        unknown or given twice; if its attributes are not a list of whole numbers from 1. The
        message names the file, the line and the item.
    """
    text = _text(path)
    try:
        pairs = json.loads(text, object_pairs_hook=_Pairs)
    except json.JSONDecodeError as error:
        raise DatasetError(
            f"{path}, line {error.lineno}, column {error.colno}: not JSON: {error.msg}"
        ) from error
    if not isinstance(pairs, _Pairs):
        raise DatasetError(
            f'{path}, line 1: expected one JSON object, {{"item id": [attribute ids]}}; got '
            f"{_shown(pairs)}"
        )
    by_item: dict[int, list[int]] = {}
    for key, values in pairs:
        if complaint := _attribute_complaint(key, values, num_items, by_item):
            raise DatasetError(f"{path}, line {_line_of_key(text, key)}: {complaint}")
        by_item[int(key)] = values
    rows = Sequences.from_lists(by_item.get(item, []) for item in range(num_items + 1))
    return ItemAttributes(rows.item_ids, rows.offsets)


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object, duplicate keys kept."""


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror or error}") from error
    if not data.strip():
        raise DatasetError(f"{path}, line 1: the file is empty")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DatasetError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as "
            "UTF-8 text"
        ) from error


def _complaint(line: str) -> str:
    """Return what is wrong with a line that does not consist of ids."""
    words = [word for word in re.split("[ \t]+", line) if word]
    if not words:
        return "the line is blank; remove it"
    wrong = next(word for word in words if not re.fullmatch(_ID, word))
    return (
        f"{_shown(wrong)} is not an id; ids are whole numbers from 1 to {_LARGEST_ID}, and a line "
        "is a user's id and those of their items, with spaces between"
    )


def _check_users(path: Path, users: Int64Array) -> None:
    expected = np.arange(1, len(users) + 1)
    if len(wrong := np.flatnonzero(users != expected)):
        place = int(wrong[0])
        user, due = int(users[place]), int(expected[place])
        if 1 <= user < due:
            complaint = f"user {user} is already in line {user}"
        else:
            complaint = f"expected user {due}; got user {user}"
        raise DatasetError(
            f"{path}, line {due}: {complaint}; write one line per user and number the users 1, "
            "2, 3, ... in the order of the lines"
        )


def _check_lengths(path: Path, lengths: Int64Array) -> None:
    if len(short := np.flatnonzero(lengths < MINIMUM_LENGTH)):
        user = int(short[0]) + 1
        raise DatasetError(
            f"{path}, line {user}: user {user} has {plural(lengths[user - 1], 'item')}, at least "
            f"{MINIMUM_LENGTH} are needed; drop users with fewer ({len(short)} here) and renumber"
        )


def _check_items(path: Path, sequences: Sequences) -> None:
    used, first_places = np.unique(sequences.item_ids, return_index=True)
    if used[0] < 1:
        line = np.searchsorted(sequences.offsets, first_places[0], side="right")
        raise DatasetError(
            f"{path}, line {line}: item 0 is padding; item ids are whole numbers from 1"
        )
    if len(skipped := np.flatnonzero(used != np.arange(1, len(used) + 1))):
        place = int(skipped[0])
        line = np.searchsorted(sequences.offsets, first_places[place], side="right")
        raise DatasetError(
            f"{path}, line {line}: item {used[place]} occurs, but no line has item {place + 1}; "
            f"renumber the items 1 to {len(used)}, without gaps"
        )


def _attribute_complaint(
    key: str, values: object, num_items: int, known: dict[int, list[int]]
) -> str | None:
    """Return what is wrong with an entry of an attribute file, or None."""
    if not re.fullmatch(_ID, key) or not 1 <= int(key) <= num_items:
        return f"{_shown(key)} is not an item of the sequences; their ids are 1 to {num_items}"
    if int(key) in known:
        return f"item {key} is given twice; keep one entry"
    if not isinstance(values, list) or isinstance(values, _Pairs):
        return f"the attributes of item {key} must be a list; got {_shown(values)}"
    for value in values:
        if type(value) is not int or not 1 <= value <= _LARGEST_ID:
            return (
                f"item {key} has the attribute {_shown(value)}; attribute ids are whole numbers "
                f"from 1 to {_LARGEST_ID}"
            )
    return None


def _line_of_key(text: str, key: str) -> int:
    """Find the line of an entry, the last one if the key is repeated."""
    places = [match.start() for match in re.finditer(f"{re.escape(json.dumps(key))}\\s*:", text)]
    return text.count("\n", 0, places[-1] if places else 0) + 1


def _shown(value: object) -> str:
    """Format a value for an error message: quoted, and cut to 40 characters."""
    shown = ascii(dict(value)) if isinstance(value, _Pairs) else ascii(value)
    return shown if len(shown) <= 40 else f"{shown[:40]}..."
