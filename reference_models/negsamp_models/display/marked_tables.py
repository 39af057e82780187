"""Update tables in Markdown files from the result files that a comment above them names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from negsamp import InvalidInputError
from negsamp_models.display.tables import markdown, summarise
from negsamp_models.files.writing import write_text
from negsamp_models.records.reading import read_results

__all__ = ["rewrite_tables", "rewritten"]

_OPENING, _CLOSING = "<!-- results: negsamp table ", "<!-- end of results -->"
_MARKED = re.compile(f"({re.escape(_OPENING)}(.*?) -->\n)(.*?)({re.escape(_CLOSING)})", re.DOTALL)
_BRACES = re.compile(r"(.*?)\{([^{}]*)\}(.*)")


def rewritten(text: str, folder: Path) -> str:
    """Return a Markdown text with its marked tables updated.

    Parameters
    ----------
    text : str
        With tables between ``<!-- results: negsamp table [--no-times] PATHS -->`` and
        ``<!-- end of results -->``, each on a line of its own. PATHS are result files or folders;
        ``{a,b}`` is expanded as in a shell.
    folder : Path
        PATHS are relative to it.

    Returns
    -------
    str
        The text with new tables, otherwise unchanged.

    Raises
    ------
    InvalidInputError
        If no table is marked or a mark is not closed.
    ResultError
        As raised by :func:`~negsamp_models.records.reading.read_results`.
    """
    tables = len(_MARKED.findall(text))
    if not tables or (text.count(_OPENING), text.count(_CLOSING)) != (tables, tables):
        raise InvalidInputError(
            f"found {tables} marked tables, {text.count(_OPENING)} opening and "
            f"{text.count(_CLOSING)} closing lines; put each table between a line "
            f"{_OPENING}PATHS --> and a line {_CLOSING}"
        )
    return _MARKED.sub(lambda found: f"{found[1]}{_table(found[2], folder)}{found[4]}", text)


def rewrite_tables(files: Iterable[Path], folder: Path) -> dict[Path, bool]:
    """Update the tables of Markdown files, or of none if one of them fails; see `rewritten`.

    Returns
    -------
    dict of Path to bool
        Whether each file was changed.
    """
    texts = {}
    for file in files:
        try:
            old = file.read_text(encoding="utf-8")
            texts[file] = (old, rewritten(old, folder))
        except (OSError, ValueError) as error:
            raise InvalidInputError(f"cannot rewrite {file}: {error}") from error
    for file, (old, new) in texts.items():
        if new != old:
            write_text(file, new)
    return {file: new != old for file, (old, new) in texts.items()}


def _table(arguments: str, folder: Path) -> str:
    words = shlex.split(arguments)
    paths = [folder / path for word in words if word != "--no-times" for path in _expanded(word)]
    return markdown(summarise(read_results(paths)), times="--no-times" not in words)


def _expanded(word: str) -> Iterator[str]:
    """Yield the brace expansions of a word, as a shell does."""
    if (found := _BRACES.fullmatch(word)) is None:
        yield word
        return
    before, choices, after = found.groups()
    for choice in choices.split(","):
        yield from _expanded(f"{before}{choice}{after}")
