"""Text files that may be compressed, told by their suffix."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO

from negsamp_models.datasets.dataset import DatasetError

__all__ = ["unpacked", "without_packing"]

_OPENERS: dict[str, Callable[[BinaryIO], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
_UNREAD = (".zst", ".zip", ".7z", ".lz4")


def without_packing(path: Path) -> Path:
    """Return a path without the suffix of its compression.

    Examples
    --------
    >>> without_packing(Path("log.csv.gz")).name, without_packing(Path("log.csv")).name
    ('log.csv', 'log.csv')
    """
    return path.with_suffix("") if path.suffix in _OPENERS else path


@contextmanager
def unpacked(file: BinaryIO, suffix: str) -> Iterator[TextIOWrapper]:
    """Return the lines of a file in UTF-8, unpacked while they are read.

    Parameters
    ----------
    file : binary file
        Open for reading.
    suffix : str
        Its last suffix: ".gz", ".bz2" and ".xz" are unpacked.

    Raises
    ------
    DatasetError
        If it is not what its suffix says or damaged, or of a compression that is not read.
    """
    if suffix in _UNREAD:
        raise DatasetError(
            f"files {suffix} are not read, only {', '.join(_OPENERS)} and plain text: unpack it "
            "first"
        )
    opened = _OPENERS[suffix](file) if suffix in _OPENERS else file
    try:
        with TextIOWrapper(opened, encoding="utf-8-sig", newline="") as lines:
            yield lines
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise _damaged(suffix, error) from error
    except OSError as error:
        if error.errno is None:  # of bz2, which has no error of its own
            raise _damaged(suffix, error) from error
        raise


def _damaged(suffix: str, error: Exception) -> DatasetError:
    return DatasetError(
        f"it is not a whole {suffix} file: {error}; copy it anew, or if it is plain text, rename it"
    )
