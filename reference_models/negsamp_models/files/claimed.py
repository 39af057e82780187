"""A lock for each run, so that commands that share a folder never make the same run at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from negsamp import NegSampError
from negsamp_models.files.writing import check_writable

__all__ = ["ClaimedError", "claimed"]

fcntl: Any
try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has none: no locking there
    fcntl = None


class ClaimedError(NegSampError):
    """Another process is making this run."""


@contextmanager
def claimed(file: Path) -> Iterator[None]:
    """Lock the result file of a run while the context is active.

    The operating system locks a file beside it, which contains the process id. It releases the
    lock of a process that is killed, so that nothing has to be cleaned up.

    Raises
    ------
    InvalidInputError
        If the folder, created if missing, is not writable.
    ClaimedError
        If another process has the lock.
    """
    check_writable(file.parent)
    if fcntl is None:
        yield
        return
    beside = file.with_name(f".{file.stem}.claim")
    with _locked(beside, file) as handle:
        try:
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            yield
        finally:
            beside.unlink(missing_ok=True)


def _locked(beside: Path, file: Path) -> IO[str]:
    """Open and lock the file; try again if it was removed before it was locked."""
    while True:
        handle = beside.open("a+", encoding="ascii")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            with handle:
                raise ClaimedError(
                    f"process {handle.read()} is making this run; its result will be {file}"
                ) from None
        except OSError:
            return handle  # a file system without locks, such as Lustre by default: no locking
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle.fileno()), beside.stat()):
                return handle
        handle.close()  # its holder has finished and removed it
