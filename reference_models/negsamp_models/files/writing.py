"""Files written completely or not at all, and folders that are checked before any work."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from negsamp import InvalidInputError

__all__ = [
    "check_writable",
    "write_bytes",
    "write_json",
    "write_text",
    "write_whole",
]


def check_writable(folder: str | Path) -> None:
    """Create a folder, and check that files can be written to it before any work is done.

    Raises
    ------
    InvalidInputError
        If it cannot be created or written to; the message has the system's reason.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, _obstacle(folder, error)) from error
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _not_writable(folder, error.strerror) from error


def _obstacle(folder: Path, error: OSError) -> str:
    """Say why a folder cannot be created."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        file = next(each for each in (*reversed(folder.parents), folder) if not each.is_dir())
        return f"{'it' if file == folder else file} is a file"
    part = Path(error.filename)
    return f"folder {part.name!r} cannot be created in {part.parent} ({error.strerror})"


def _not_writable(folder: Path, reason: str | None) -> InvalidInputError:
    return InvalidInputError(
        f"results cannot be written to {folder}: {reason}; name another folder"
    )


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON with numbers in full precision; NaN and infinities are refused."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_text(path: str | Path, text: str) -> None:
    """Write a text in UTF-8, as `write_whole` does."""
    write_whole(path, lambda target: target.write_text(text, encoding="utf-8"))


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write bytes, as `write_whole` does."""
    write_whole(path, lambda target: target.write_bytes(data))


def write_whole(path: str | Path, write: Callable[[Path], object]) -> None:
    """Write a file atomically: to a temporary file beside it, which then replaces it.

    Parameters
    ----------
    path : str or Path
        The file; its folder is created if missing. It is unchanged if writing fails.
    write : callable
        Writes to the path it is called with, a temporary file of the same folder and suffix.

    Raises
    ------
    OSError
        If writing fails; it names the file itself, not the temporary one.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _temporary_file(path) as temporary:
            write(temporary)
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
    except OSError as error:
        if (
            error.filename is None
            or Path(error.filename).absolute().parent != path.absolute().parent
        ):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def _temporary_file(path: Path) -> Iterator[Path]:
    """Create a temporary file in the same folder; it is removed on exit."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
