"""Train in a folder: start or resume, log, save checkpoints, and write the result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from safetensors.torch import save

from negsamp import NegSampError
from negsamp_models.checkpoints import Checkpoint, CheckpointError, CheckpointFolder, Saver
from negsamp_models.datasets import Dataset
from negsamp_models.display.logs import JsonLines, TensorBoard
from negsamp_models.display.names import describe_sampler
from negsamp_models.display.plots import plot_curves
from negsamp_models.display.progress import ProgressDisplay
from negsamp_models.files.claimed import claimed
from negsamp_models.files.writing import write_bytes, write_json
from negsamp_models.pretrained import Pretrained
from negsamp_models.processes import Processes, StopSignals
from negsamp_models.records import RunResult
from negsamp_models.records.reading import read_result
from negsamp_models.runs.overwriting import check_free, clear_for_a_new_run
from negsamp_models.settings import MODELS, RunOptions, TrainingSettings
from negsamp_models.training import Trainer
from negsamp_models.training.snapshots import Snapshots, remove_snapshots
from negsamp_models.training.watching import Silent, Together, Watcher
from negsamp_models.wording import differences

__all__ = ["ResultNotWrittenError", "check_folders", "train_in_folder"]

RESULT, WEIGHTS, CURVES = "result.json", "model.safetensors", "curves.png"
_OTHERS = (WEIGHTS, CURVES, "law.png", "law.json")
_INSTEAD = "name another --output, or replace it with --overwrite instead of --resume"


class ResultNotWrittenError(NegSampError, OSError):
    """A run has finished, but its result cannot be written."""


def check_folders(folders: Iterable[Path], options: RunOptions) -> None:
    """Refuse several runs if one of their folders holds a run already, before the first starts.

    Raises
    ------
    CheckpointError
        If so, and neither `resume` nor `overwrite` is set.
    """
    if not (options.resume or options.overwrite):
        for folder in folders:
            check_free(folder, CheckpointFolder(folder / "checkpoints", {}), RESULT, _OTHERS)


def train_in_folder(
    dataset: Dataset,
    sampler_config: Mapping[str, Any],
    settings: TrainingSettings,
    folder: Path,
    options: RunOptions,
    console: Console,
    processes: Processes,
    pretrained: Pretrained | None = None,
) -> RunResult:
    """Train a model, and keep the run and its results in a folder.

    During training the folder has ``checkpoints/`` and ``log.jsonl``, and on request
    ``tensorboard/``. At the end ``model.safetensors`` (the best weights), ``curves.png`` and, last,
    ``result.json`` are written; then the checkpoints are removed. With `keep_weights` there are
    ``weights/EPOCHS.safetensors`` too.

    Parameters
    ----------
    dataset, sampler_config, settings
        As for :class:`~negsamp_models.training.Trainer`.
    folder : Path
        Created if missing.
    options : RunOptions
        With `resume`, an interrupted run is resumed, and the result of a finished one is read.
    console : Console
        Shows the progress.
    processes : Processes
        The processes that share the run; rank 0 writes.
    pretrained : Pretrained, optional
        As for :class:`~negsamp_models.training.Trainer`.

    Returns
    -------
    RunResult

    Raises
    ------
    CheckpointError
        If the folder has a run, or a file named like one of its files, and neither `resume` nor
        `overwrite` is given; or its checkpoints or its result belong to another run.
    ResultError
        If the result that the folder has is damaged.
    ClaimedError
        If another command is training there.
    ProcessesDifferError
        If the processes have different arguments, or do not find the same checkpoint.
    ResultNotWrittenError
        If the result cannot be written; the message has the test metrics.
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
    with ExitStack() as stack:
        if processes.rank == 0:
            stack.enter_context(claimed(folder / RESULT))
        if options.resume and not checkpoints and (folder / RESULT).exists():
            processes.agree({"checkpoint": "none, the run is finished"})
            result = _finished(folder / RESULT, trainer)
            console.print(f"{_title(trainer)}: finished before; nothing is trained", markup=False)
            return result
        if not options.resume and (processes.rank == 0 or not options.overwrite):
            clear_for_a_new_run(folder, checkpoints, options, RESULT, _OTHERS)
        trainer.stop = stack.enter_context(StopSignals())
        with ExitStack() as shown:
            trainer.watcher = _watchers(trainer, folder, options, console, shown)
            trainer.saver = Saver(checkpoints, options, processes)
            if (last := _last(checkpoints, options.resume, trainer)) is not None:
                trainer.restore(last)
            elif processes.rank == 0:
                remove_snapshots(folder / "weights")  # those of a run that saved no checkpoint
            result = trainer.run()
        if processes.rank == 0:
            _write(trainer, result, folder)
            checkpoints.discard()
    return result


def _last(checkpoints: CheckpointFolder, resume: bool, trainer: Trainer) -> Checkpoint | None:
    """Return the checkpoint to resume from, if any; all processes must find the same one."""
    last, found = None, "none"
    try:
        if resume and (last := checkpoints.last(trainer.watcher.on_notice)) is not None:
            found = f"{last.name}, SHA-256 {last.seal[:12]}"
    except CheckpointError as error:
        trainer.processes.agree({"checkpoint": str(error)})
        raise
    trainer.processes.agree({"checkpoint": found})
    return last


def _write(trainer: Trainer, result: RunResult, folder: Path) -> None:
    """Write the best weights, the curves and, last, the result."""
    weights = save(trainer.model.state_dict())
    about = f"{MODELS[trainer.settings.model]} on {trainer.dataset.name}"
    try:
        write_bytes(folder / WEIGHTS, weights)
        plot_curves({_title(trainer): result.epochs}, folder / CURVES, about)
        write_json(folder / RESULT, result.to_json())
    except OSError as error:
        figures = ", ".join(f"{name} {value:.2f}" for name, value in result.test.items())
        raise ResultNotWrittenError(
            f"training is finished, but the result cannot be written to {folder}: {error}. Test "
            f"metrics, in percent: {figures}. Free some space, and repeat with --resume: it "
            "continues from the last checkpoint that was saved"
        ) from error


def _watchers(
    trainer: Trainer, folder: Path, options: RunOptions, console: Console, stack: ExitStack
) -> Watcher:
    """Return the watchers: progress display, ``log.jsonl``, and what the options request."""
    if trainer.processes.rank > 0:
        return Silent()
    watchers: list[Watcher] = [
        stack.enter_context(ProgressDisplay(_title(trainer), trainer.settings.max_epochs, console)),
        JsonLines(folder / "log.jsonl", _description(trainer)),
    ]
    if options.keep_weights:
        watchers.append(Snapshots(folder / "weights", trainer, options.keep_weights))
    if options.tensorboard:
        watchers.append(stack.enter_context(TensorBoard(folder / "tensorboard")))
    return Together(*watchers)


def _title(trainer: Trainer) -> str:
    return describe_sampler(trainer.sampler_config, asdict(trainer.settings))


def _description(trainer: Trainer) -> dict[str, Any]:
    return {
        "dataset": trainer.dataset.name,
        "sampler": dict(trainer.sampler_config),
        "settings": asdict(trainer.settings),
        "pretraining": None if trainer.pretrained is None else trainer.pretrained.description,
    }


def _finished(path: Path, trainer: Trainer) -> RunResult:
    """Read the result of a finished run, and check that it is of this run."""
    result = read_result(path, _INSTEAD)
    own = _description(trainer) | {"data_sha256": trainer.dataset.sha256}
    there = {name: getattr(result, name) for name in own}
    for each in (own, there):
        each["settings"] = {k: v for k, v in each["settings"].items() if k != "device"}
    if result.data_sha256 is None:  # older results lack it
        del own["data_sha256"], there["data_sha256"]
    if found := differences(there, own):
        raise CheckpointError(
            f"{path} is of another run: {', '.join(found)}. A finished run cannot be resumed: "
            f"{_INSTEAD}"
        )
    return result
