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
        If there is a run, done or not, and it is not to be overwritten.
    """
    if not options.overwrite and (checkpoints or (folder / result).exists()):
        state = "a run that is not done: go on" if checkpoints else "a finished run: show it"
        raise CheckpointError(
            f"{folder} holds {state} with --resume, name another --output, or make it anew with "
            "--overwrite"
        )
    checkpoints.discard()
    for name in (result, *others):
        (folder / name).unlink(missing_ok=True)
