"""Protect the files of an earlier run: a new run removes them only with ``--overwrite``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from negsamp_models.checkpoints import CheckpointError, CheckpointFolder
from negsamp_models.settings import RunOptions

__all__ = ["clear_for_a_new_run"]


def clear_for_a_new_run(
    folder: Path,
    checkpoints: CheckpointFolder,
    options: RunOptions,
    result: str,
    others: Iterable[str],
) -> None:
    """Remove the files of an earlier run if requested; otherwise refuse to start in its folder.

    Parameters
    ----------
    folder : Path
    checkpoints : CheckpointFolder
        Those of an unfinished run, if there is one.
    options : RunOptions
        Whether to overwrite.
    result : str
        Name of the result file of a finished run.
    others : iterable of str
        Names of its other files.

    Raises
    ------
    CheckpointError
        If there is a run, finished or not, or a file named like one of its files, and `overwrite`
        is not set.
    """
    names = (result, *others)
    there = [name for name in names if (folder / name).exists()]
    if not options.overwrite and (checkpoints or there):
        if checkpoints:
            state = "an unfinished run: continue it with --resume,"
        elif result in there:
            state = "a finished run: show it with --resume,"
        else:
            state = f"{there[0]}, which would be overwritten:"
        raise CheckpointError(
            f"{folder} holds {state} name another --output, or replace it with --overwrite"
        )
    checkpoints.discard()
    for name in names:
        (folder / name).unlink(missing_ok=True)
