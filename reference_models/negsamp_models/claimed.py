"""One command at a time makes a run, however many work in the same folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from negsamp import NegSampError
from negsamp_models.results import check_writable

__all__ = ["ClaimedError", "claimed"]

fcntl: Any
try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has none, and no claim is made there
    fcntl = None


class ClaimedError(NegSampError):
    """Another process is making this run."""


@contextmanager
def claimed(file: Path) -> Iterator[None]:
    """Claim the file that a run's result is to be written to, for as long as this is entered.

    The claim is a lock of the operating system on a file beside it, which holds the number of the
    process. One that is killed loses the lock, so that nothing has to be cleared away.

    Raises
    ------
    InvalidInputError
        If nothing can be written to its folder, which is made if it is missing.
    ClaimedError
        If another process has it.
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
    """Return the claim, open and locked, and still where others look for it."""
    while True:
        handle = beside.open("a+", encoding="ascii")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            with handle:
                raise ClaimedError(
                    f"process {handle.read()} is making it; the result will be {file}"
                ) from None
        except OSError:
            return handle  # a file system without locks, as Lustre is by default: no claim there
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle.fileno()), beside.stat()):
                return handle
        handle.close()  # whoever held it has left meanwhile, and taken it away
