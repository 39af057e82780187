"""What a folder holds of another run is neither mixed with a new one nor lost unasked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from negsamp_models.checkpoint import CheckpointError, CheckpointFolder
from negsamp_models.settings import RunOptions

__all__ = ["clear_for_a_new_run"]


def clear_for_a_new_run(
    folder: Path,
    checkpoints: CheckpointFolder,
    options: RunOptions,
    result: str,
    others: Iterable[str],
) -> None:
    """Remove what an earlier run left, if that is asked for.

    Parameters
    ----------
    folder : Path
    checkpoints : CheckpointFolder
        Of a run that is not done, if there is one.
    options : RunOptions
        Whether to overwrite.
    result : str
        Name of the file that a finished run leaves.
    others : iterable of str
        Names of its other files.

    Raises
    ------
    CheckpointError
        If there is a run, done or not, or a file in the place of one of its own, and it is not to
        be overwritten.
    """
    names = (result, *others)
    there = [name for name in names if (folder / name).exists()]
    if not options.overwrite and (checkpoints or there):
        if checkpoints:
            state = "a run that is not done: go on with --resume,"
        elif result in there:
            state = "a finished run: show it with --resume,"
        else:
            state = f"{there[0]}, which would be lost:"
        raise CheckpointError(
            f"{folder} holds {state} name another --output, or make it anew with --overwrite"
        )
    checkpoints.discard()
    for name in names:
        (folder / name).unlink(missing_ok=True)
