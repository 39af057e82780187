"""Pre-train in a folder: start or resume, save checkpoints, and write weights and result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from negsamp_models.checkpoints import CheckpointError, CheckpointFolder, Saver
from negsamp_models.datasets import Dataset
from negsamp_models.files.claimed import claimed
from negsamp_models.files.writing import write_json
from negsamp_models.pretrained import read_pretrained, write_pretrained
from negsamp_models.processes import Processes, StopSignals
from negsamp_models.records import ResultError
from negsamp_models.runs.overwriting import clear_for_a_new_run
from negsamp_models.s3rec import Pretrainer, PretrainingResult
from negsamp_models.s3rec.watching import PretrainingWatcher
from negsamp_models.settings import PretrainingSettings, RunOptions
from negsamp_models.wording import differences

__all__ = ["RESULT", "WEIGHTS", "is_pretrained", "pretrain_in_folder", "read_pretraining"]

WEIGHTS, RESULT = "pretrained.safetensors", "pretraining.json"
"""Names of the two files of a finished run."""


def pretrain_in_folder(
    dataset: Dataset,
    settings: PretrainingSettings,
    sampler_config: Mapping[str, Any],
    folder: Path,
    options: RunOptions,
    watcher: PretrainingWatcher,
) -> PretrainingResult:
    """Pre-train a model, and keep its weights and result in a folder.

    During training the folder has ``checkpoints/``. At the end ``pretrained.safetensors`` and then
    ``pretraining.json`` are written, and the checkpoints are removed.

    Parameters
    ----------
    dataset, settings, sampler_config
        As for `Pretrainer`.
    folder : Path
        Created if missing.
    options : RunOptions
        With `resume`, an interrupted run is resumed, the result of a finished one is read, and one
        whose weights are missing is made again.
    watcher : PretrainingWatcher
        Notified of progress.

    Returns
    -------
    PretrainingResult

    Raises
    ------
    CheckpointError
        If the folder has a run, or a file named like one of its files, and neither `resume` nor
        `overwrite` is given; or its checkpoints or its result belong to another run.
    ResultError
        If the result that the folder has is damaged.
    ClaimedError
        If another command is pre-training there.
    TrainingDivergedError, RunStoppedError
        As by :meth:`Pretrainer.run`.
    """
    pretrainer = Pretrainer(dataset, settings, sampler_config)
    checkpoints = CheckpointFolder(folder / "checkpoints", pretrainer.identity)
    with claimed(folder / RESULT), StopSignals() as stop:
        if options.resume and not checkpoints and is_pretrained(folder):
            result = _finished(folder, pretrainer)
            watcher.on_notice("finished before; nothing is trained")
            return result
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
    """Whether a pre-training in this folder is finished, and its weights still exist."""
    return (folder / RESULT).exists() and (folder / WEIGHTS).exists()


def read_pretraining(path: Path) -> PretrainingResult:
    """Read the result of a pre-training.

    Raises
    ------
    ResultError
        If the file is not the result of a pre-training; the message names it.
    """
    try:
        return PretrainingResult.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ResultError(
            f"{path} is not the result of a pre-training: {error}; move its folder away and "
            "pre-train again"
        ) from error


def _finished(folder: Path, pretrainer: Pretrainer) -> PretrainingResult:
    """Read the result of a finished run, and check that its weights are of this run."""
    result = read_pretraining(folder / RESULT)
    there, own = asdict(read_pretrained(folder / WEIGHTS).provenance), asdict(pretrainer.provenance)
    if there["attributes"] is None:  # older files lack them
        own["attributes"] = None
    if found := differences(there, own):
        raise CheckpointError(
            f"{folder} holds another run: {', '.join(found)}. A finished run cannot be resumed: "
            "name another --output, or replace it with --overwrite instead of --resume"
        )
    return result
