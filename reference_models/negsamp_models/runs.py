"""One run in a folder of its own: begun or gone on with, watched, saved, and written at its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from safetensors.torch import save

from negsamp_models.checkpoint import CheckpointError, CheckpointFolder, differences
from negsamp_models.datasets import Dataset
from negsamp_models.display import ProgressDisplay
from negsamp_models.distributed import Processes
from negsamp_models.interruption import StopSignals
from negsamp_models.logs import JsonLines, TensorBoard
from negsamp_models.plots import plot_curves
from negsamp_models.records import RunResult
from negsamp_models.results import write_json, write_whole
from negsamp_models.s3rec.weights import Pretrained
from negsamp_models.saving import Saver
from negsamp_models.settings import MODELS, RunOptions, TrainingSettings
from negsamp_models.snapshots import Snapshots
from negsamp_models.training import Trainer
from negsamp_models.watching import Silent, Together, Watcher

__all__ = ["train_in_folder"]


def train_in_folder(
    title: str,
    dataset: Dataset,
    sampler_config: Mapping[str, Any],
    settings: TrainingSettings,
    folder: Path,
    options: RunOptions,
    console: Console,
    processes: Processes,
    pretrained: Pretrained | None = None,
) -> RunResult:
    """Train a model, and leave all that is to be kept of it in a folder.

    While it trains the folder holds ``checkpoints/`` and ``log.jsonl``, and ``tensorboard/`` if
    that is asked for; at its end ``model.safetensors`` (the best weights), ``curves.png`` and,
    last, ``result.json``. Then the checkpoints are removed. With `keep_weights` there are
    ``weights/EPOCHS.safetensors`` too.

    Parameters
    ----------
    title : str
        Name of the run, for people.
    dataset, sampler_config, settings
        As for :class:`~negsamp_models.training.Trainer`.
    folder : Path
        Made if missing.
    options : RunOptions
        With `resume`, a run that was cut off goes on, and one that is done is read.
    console : Console
        Gets the progress.
    processes : Processes
        That share the run; rank 0 writes.
    pretrained : Pretrained, optional
        As for :class:`~negsamp_models.training.Trainer`.

    Returns
    -------
    RunResult

    Raises
    ------
    CheckpointError
        If the folder holds checkpoints and `resume` is not given, or they or its result are of
        another run.
    TrainingDivergedError, RunStoppedError
        As by :meth:`~negsamp_models.training.Trainer.run`.
    """
    trainer = Trainer(
        dataset,
        sampler_config,
        settings,
        processes=processes,
        pretrained=pretrained,
        sharded_items=options.sharded_items,
        cuda_graphs=options.cuda_graphs,
    )
    checkpoints = CheckpointFolder(folder / "checkpoints", trainer.identity)
    if checkpoints and not options.resume:
        raise CheckpointError(
            f"{folder} holds a run that is not done: go on with --resume, or name another "
            "--output, or remove it"
        )
    if options.resume and not checkpoints and (folder / "result.json").exists():
        return _finished(folder / "result.json", trainer)
    with ExitStack() as stack:
        trainer.watcher = _watchers(title, trainer, folder, options, console, stack)
        trainer.saver = Saver(checkpoints, options, processes)
        if (checkpoint := checkpoints.last(trainer.watcher.on_notice)) is not None:
            trainer.restore(checkpoint)
        trainer.stop = stack.enter_context(StopSignals())
        result = trainer.run()
    if processes.rank == 0:
        weights = save(trainer.model.state_dict())
        write_whole(folder / "model.safetensors", lambda path: path.write_bytes(weights))
        plot_curves(
            {title: result.epochs},
            folder / "curves.png",
            f"{MODELS[settings.model]} on {dataset.name}",
        )
        write_json(folder / "result.json", result.to_json())
        checkpoints.discard()
    return result


def _watchers(
    title: str,
    trainer: Trainer,
    folder: Path,
    options: RunOptions,
    console: Console,
    stack: ExitStack,
) -> Watcher:
    """Return who is told: people, ``log.jsonl``, and TensorBoard if it is asked for."""
    if trainer.processes.rank > 0:
        return Silent()
    watchers: list[Watcher] = [
        stack.enter_context(ProgressDisplay(title, trainer.settings.max_epochs, console)),
        JsonLines(folder / "log.jsonl", _description(trainer)),
    ]
    if options.keep_weights:
        watchers.append(Snapshots(folder / "weights", trainer.model, options.keep_weights))
    if options.tensorboard:
        watchers.append(stack.enter_context(TensorBoard(folder / "tensorboard")))
    return Together(*watchers)


def _description(trainer: Trainer) -> dict[str, Any]:
    return {
        "dataset": trainer.dataset.name,
        "sampler": dict(trainer.sampler_config),
        "settings": asdict(trainer.settings),
        "pretraining": None if trainer.pretrained is None else trainer.pretrained.description,
    }


def _finished(path: Path, trainer: Trainer) -> RunResult:
    """Read the result of a run that is done, if it is this one's."""
    try:
        result = RunResult.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{path} is not the result of a run: {error}") from error
    own = _description(trainer)
    found = differences({name: getattr(result, name) for name in own}, own)
    if found:
        raise CheckpointError(f"{path} is of another run: {', '.join(found)}")
    return result
