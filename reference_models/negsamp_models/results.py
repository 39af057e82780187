"""Result files: JSON, written whole or not at all."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

import negsamp
from negsamp import InvalidInputError
from negsamp_models.source import source_digest

__all__ = ["check_writable", "environment", "write_json", "write_whole"]


def environment(device: torch.device) -> dict[str, Any]:
    """Return what a result was computed with: versions, source, device, threads."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "negsamp": negsamp.__version__,
        "source": source_digest(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "device": f"{device.type} ({name})",
        "threads": torch.get_num_threads(),
    }


def check_writable(folder: str | Path) -> None:
    """Make a folder, and refuse one that no file can be written to, before there is one to lose.

    Raises
    ------
    InvalidInputError
        With the folder, what of it cannot be made, and the system's reason.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, _hindrance(folder, error)) from error
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _not_writable(folder, error.strerror) from error


def _hindrance(folder: Path, error: OSError) -> str:
    """Say what stands in the way of making a folder."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        file = next(each for each in (*reversed(folder.parents), folder) if not each.is_dir())
        return f"{'it' if file == folder else file} is a file"
    part = Path(error.filename)
    return f"no folder {part.name!r} can be made in {part.parent} ({error.strerror})"


def _not_writable(folder: Path, reason: str | None) -> InvalidInputError:
    return InvalidInputError(
        f"results cannot be written to {folder}: {reason}; name another folder"
    )


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON with numbers as they are; NaN and infinities are refused."""
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    write_whole(path, lambda target: target.write_text(text, encoding="utf-8"))


def write_whole(path: str | Path, write: Callable[[Path], object]) -> None:
    """Have a file written next to `path`, then put it in place; on failure leave `path` alone.

    Parameters
    ----------
    path : str or Path
        The file; its folder is made if it is missing.
    write : callable
        Is given the path of a temporary file of the same folder and suffix, and writes it.

    Raises
    ------
    OSError
        As `write` does, or with the name of the file, not of the temporary one.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _beside(path) as temporary:
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
def _beside(path: Path) -> Iterator[Path]:
    """Make an empty file in the same folder, for as long as this is entered."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _processor() -> str:
    """Return the processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.machine()
