"""One pre-training run in a folder of its own: begun or gone on with, saved, and written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from negsamp_models.checkpoint import CheckpointError, CheckpointFolder, differences
from negsamp_models.claimed import claimed
from negsamp_models.datasets import Dataset
from negsamp_models.distributed import Processes
from negsamp_models.interruption import StopSignals
from negsamp_models.overwriting import clear_for_a_new_run
from negsamp_models.results import write_json
from negsamp_models.s3rec.pretraining import Pretrainer
from negsamp_models.s3rec.records import PretrainingResult
from negsamp_models.s3rec.settings import PretrainingSettings
from negsamp_models.s3rec.watching import PretrainingWatcher
from negsamp_models.s3rec.weights import read_pretrained, write_pretrained
from negsamp_models.saving import Saver
from negsamp_models.settings import RunOptions

__all__ = ["RESULT", "WEIGHTS", "is_pretrained", "pretrain_in_folder", "read_pretraining"]

WEIGHTS, RESULT = "pretrained.safetensors", "pretraining.json"
"""Names of the two files that a run leaves."""


def pretrain_in_folder(
    dataset: Dataset,
    settings: PretrainingSettings,
    sampler_config: Mapping[str, Any],
    folder: Path,
    options: RunOptions,
    watcher: PretrainingWatcher,
) -> PretrainingResult:
    """Pre-train a model, and leave its weights and its result in a folder.

    While it trains the folder holds ``checkpoints/``; at its end ``pretrained.safetensors`` and,
    after it, ``pretraining.json``, and the checkpoints are removed.

    Parameters
    ----------
    dataset, settings, sampler_config
        As for `Pretrainer`.
    folder : Path
        Made if missing.
    options : RunOptions
        With `resume`, a run that was cut off goes on, and one that is done is read; one whose
        weights are gone is made again.
    watcher : PretrainingWatcher
        Who is told.

    Returns
    -------
    PretrainingResult

    Raises
    ------
    CheckpointError
        If the folder holds a run, or a file of such a name, and neither `resume` nor `overwrite` is
        given; or if its checkpoints or its result are of another run.
    ClaimedError
        If another command is making a run there.
    TrainingDivergedError, RunStoppedError
        As by :meth:`Pretrainer.run`.
    """
    pretrainer = Pretrainer(dataset, settings, sampler_config)
    checkpoints = CheckpointFolder(folder / "checkpoints", pretrainer.identity)
    with claimed(folder / RESULT), StopSignals() as stop:
        if options.resume and not checkpoints and is_pretrained(folder):
            return _finished(folder, pretrainer)
        if not options.resume:
            clear_for_a_new_run(folder, checkpoints, options, RESULT, [WEIGHTS])
        pretrainer.watcher, pretrainer.stop = watcher, stop
        pretrainer.saver = Saver(checkpoints, options, Processes())
        if (checkpoint := checkpoints.last(watcher.on_notice)) is not None:
            pretrainer.restore(checkpoint)
        result = pretrainer.run()
        write_pretrained(folder / WEIGHTS, pretrainer.model, pretrainer.provenance)
        write_json(folder / RESULT, result.to_json())
        checkpoints.discard()
    return result


def is_pretrained(folder: Path) -> bool:
    """Whether a pre-training in this folder is done, and its weights are still there."""
    return (folder / RESULT).exists() and (folder / WEIGHTS).exists()


def read_pretraining(path: Path) -> PretrainingResult:
    """Read the result of a pre-training.

    Raises
    ------
    CheckpointError
        If the file is none; it is named.
    """
    try:
        return PretrainingResult.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{path} is not the result of a pre-training: {error}") from error


def _finished(folder: Path, pretrainer: Pretrainer) -> PretrainingResult:
    """Read the result of a run that is done, if it is this one's and its weights are there."""
    result = read_pretraining(folder / RESULT)
    there, own = asdict(read_pretrained(folder / WEIGHTS).provenance), asdict(pretrainer.provenance)
    if there["attributes"] is None:  # of before they were noted
        own["attributes"] = None
    if found := differences(there, own):
        raise CheckpointError(
            f"{folder} holds another run: {', '.join(found)}. A finished run cannot be resumed: "
            "name another --output, or replace it with --overwrite instead of --resume"
        )
    return result
