"""Update the figures of paragraphs from the result files that a comment below each names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

from negsamp import InvalidInputError
from negsamp_models.display.braces import expanded
from negsamp_models.evaluation import CUTOFFS
from negsamp_models.records import RunResult
from negsamp_models.records.reading import read_results
from negsamp_models.wording import plural

__all__ = ["FIGURE", "MARK", "START", "requoted"]

START = "<!-- quoted from "
MARK = re.compile(rf"{START}(\S+): (.*?) -->", re.DOTALL)
FIGURE = re.compile(r"\d+(\s+)seeds?\b|\d+\.\d\d(?!\d|\s*%)|\d+(?:\.\d+)?(?=\s*%)")
"""What is quoted: a number of seeds, a metric with two decimals, or a gain in percent."""

_STARTS = re.compile(r"\n\s*\n|\n\s*(?:[-*+]|\d+\.) |-->")
_CUTOFFS = "|".join(map(str, CUTOFFS))
_QUOTE = re.compile(
    r"(?:(?P<of>min|max) )?(?P<path>\S+)(?: over (?P<base>\S+))?"
    rf"(?: (?P<part>validation|ranked))?(?: (?P<metric>(?:HR|NDCG)@(?:{_CUTOFFS})))?"
)
_KEPT = "-"


def requoted(text: str, folder: Path) -> str:
    """Return a Markdown text with its quoted figures updated.

    Parameters
    ----------
    text : str
        With comments ``<!-- quoted from FOLDER: QUOTE | QUOTE -->`` below paragraphs, one quote for
        each figure of the paragraph, in order; see `FIGURE`. A quote is ``[min|max] PATH
        [over PATH] [validation|ranked] [METRIC]``: the mean of a test metric, of HR@5 unless
        another is named, over the runs in a folder or file; ``{a,b}`` is expanded as in a shell.
        ``ranked`` is with seen items ranked. For a figure in percent it is the gain of one PATH
        over the other, and for a number of seeds the number of runs. The quote ``-`` keeps the
        figure.
    folder : Path
        FOLDERs are relative to it, and PATHs to FOLDER.

    Raises
    ------
    InvalidInputError
        If a mark or a quote has another form, or a paragraph has another number of figures than its
        mark has quotes.
    ResultError
        As raised by :func:`~negsamp_models.records.reading.read_results`.
    """
    marks, openings = len(MARK.findall(text)), text.count(START)
    if marks != openings:
        raise InvalidInputError(
            f"{openings} marks of quoted figures begin, and {marks} are whole; write each as "
            f"{START}FOLDER: QUOTE | QUOTE -->"
        )
    parts, last = [], 0
    for mark in MARK.finditer(text):
        starts = [found.end() for found in _STARTS.finditer(text, last, mark.start())]
        start = max([last, *starts])
        quotes = [" ".join(quote.split()) for quote in mark[2].split("|")]
        paragraph = _paragraph(text[start : mark.start()], quotes, folder / mark[1])
        parts += [text[last:start], paragraph, mark[0]]
        last = mark.end()
    return "".join([*parts, text[last:]])


def _paragraph(text: str, quotes: list[str], folder: Path) -> str:
    figures = [found[0] for found in FIGURE.finditer(text)]
    if len(figures) != len(quotes):
        raise InvalidInputError(
            f"the paragraph that begins {text.lstrip()[:40]!r} has {len(figures)} figures, and the "
            f"mark below it {len(quotes)} quotes: give one for each of {', '.join(figures)}, or - "
            "to keep the figure"
        )
    left = iter(quotes)
    return FIGURE.sub(lambda found: _figure(found, next(left), folder), text)


def _figure(found: re.Match[str], quote: str, folder: Path) -> str:
    """Return a figure as its quote gives it, with as many decimals as it has."""
    if quote == _KEPT:
        return found[0]
    form = _QUOTE.fullmatch(quote)
    is_gain = found.string[found.end() :].lstrip().startswith("%")
    if form is None or is_gain != bool(form["base"]):
        raise InvalidInputError(
            f"{found[0]} cannot be quoted as {quote!r}; a quote is [min|max] PATH [validation|"
            "ranked] [METRIC], or PATH over PATH for a figure in percent, or -; METRIC is HR or "
            f"NDCG @ {', '.join(map(str, CUTOFFS))}"
        )
    runs = _runs(form["path"], folder)
    if found[1]:
        return plural(len(runs), "seed").replace(" ", found[1])
    of: Callable[[list[float]], float] = {"min": min, "max": max}.get(form["of"], fmean)
    value = of(_values(runs, form))
    if form["base"]:
        value = 100 * (value / fmean(_values(_runs(form["base"], folder), form)) - 1)
    return f"{value:.{len(found[0].partition('.')[2])}f}"


def _runs(path: str, folder: Path) -> list[RunResult]:
    return read_results(folder / each for each in expanded(path))


def _values(runs: list[RunResult], form: re.Match[str]) -> list[float]:
    name = form["metric"] or "HR@5"
    if form["part"] == "validation":
        return [run.validation[name] for run in runs]
    return [(run.test_unmasked if form["part"] else run.test)[name] for run in runs]
