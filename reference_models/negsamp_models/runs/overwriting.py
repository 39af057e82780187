"""Protect the files of an earlier run: a new run removes them only with ``--overwrite``."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from negsamp_models.checkpoints import CheckpointError, CheckpointFolder
from negsamp_models.settings import RunOptions

__all__ = ["check_free", "clear_for_a_new_run"]


def check_free(
    folder: Path, checkpoints: CheckpointFolder, result: str, others: Collection[str]
) -> None:
    """Refuse a folder that holds a run, or a file named like one of its files.

    The parameters are those of :func:`clear_for_a_new_run`.

    Raises
    ------
    CheckpointError
        If there is such a file.
    """
    there = [name for name in (result, *others) if (folder / name).exists()]
    if not (checkpoints or there):
        return
    if checkpoints:
        state = "an unfinished run: continue it with --resume,"
    elif result in there:
        state = "a finished run: show it with --resume,"
    else:
        state = f"{there[0]}, which would be overwritten:"
    raise CheckpointError(
        f"{folder} holds {state} name another --output, or replace it with --overwrite"
    )


def clear_for_a_new_run(
    folder: Path,
    checkpoints: CheckpointFolder,
    options: RunOptions,
    result: str,
    others: Collection[str],
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
    others : collection of str
        Names of its other files.

    Raises
    ------
    CheckpointError
        As raised by :func:`check_free`, if `overwrite` is not set.
    """
    if not options.overwrite:
        check_free(folder, checkpoints, result, others)
    checkpoints.discard()
    for name in (result, *others):
        (folder / name).unlink(missing_ok=True)
