"""Update tables and quoted figures in Markdown files from the result files that comments name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from negsamp import InvalidInputError
from negsamp_models.display.braces import expanded
from negsamp_models.display.quoted_figures import START, requoted
from negsamp_models.display.tables import markdown, summarise
from negsamp_models.files.writing import write_text
from negsamp_models.records.reading import read_results

__all__ = ["rewrite_tables", "rewritten"]

_OPENING, _CLOSING = "<!-- results: negsamp table ", "<!-- end of results -->"
_MARKED = re.compile(f"({re.escape(_OPENING)}(.*?) -->\n)(.*?)({re.escape(_CLOSING)})", re.DOTALL)


def rewritten(text: str, folder: Path) -> str:
    """Return a Markdown text with its marked tables and quoted figures updated.

    Parameters
    ----------
    text : str
        With tables between ``<!-- results: negsamp table [--no-times] PATHS -->`` and
        ``<!-- end of results -->``, each on a line of its own. PATHS are result files or folders;
        ``{a,b}`` is expanded as in a shell. Quoted figures are marked as for
        :func:`~negsamp_models.display.quoted_figures.requoted`.
    folder : Path
        PATHS are relative to it.

    Returns
    -------
    str
        The text with new tables and figures, otherwise unchanged.

    Raises
    ------
    InvalidInputError
        If nothing is marked, or a mark is not closed; or as raised by `requoted`.
    ResultError
        As raised by :func:`~negsamp_models.records.reading.read_results`.
    """
    tables = len(_MARKED.findall(text))
    is_marked = tables or START in text
    if not is_marked or (text.count(_OPENING), text.count(_CLOSING)) != (tables, tables):
        raise InvalidInputError(
            f"found {tables} marked tables, {text.count(_OPENING)} opening and "
            f"{text.count(_CLOSING)} closing lines; put each table between a line "
            f"{_OPENING}PATHS --> and a line {_CLOSING}, or a mark {START}FOLDER: QUOTE --> below "
            "a paragraph with figures"
        )
    text = _MARKED.sub(lambda found: f"{found[1]}{_table(found[2], folder)}{found[4]}", text)
    return requoted(text, folder)


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
    paths = [folder / path for word in words if word != "--no-times" for path in expanded(word)]
    return markdown(summarise(read_results(paths)), times="--no-times" not in words)
