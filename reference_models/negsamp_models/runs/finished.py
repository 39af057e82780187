"""A finished run, read back from its folder with its model."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load

from negsamp_models.checkpoints import CheckpointError
from negsamp_models.datasets import load_dataset
from negsamp_models.records import RunResult
from negsamp_models.records.reading import read_result
from negsamp_models.runs.train import RESULT, WEIGHTS
from negsamp_models.settings import TrainingSettings
from negsamp_models.training import Trainer

__all__ = ["finished_run"]

_NAME_ANOTHER = "name the folder that a run of negsamp train was written to"


def finished_run(
    folder: str | Path, data_dir: str | Path | None = None
) -> tuple[RunResult, Trainer]:
    """Read the result of a finished run, and its model with the weights that were best.

    Parameters
    ----------
    folder : str or Path
        Of :func:`~negsamp_models.runs.train.train_in_folder`, that is, of ``negsamp train``.
    data_dir : str or Path, optional
        Folder of the data files; by default `NEGSAMP_DATA`, or the cache of published data sets.

    Returns
    -------
    RunResult, Trainer
        The trainer has the weights in `model`, a SASRec, and the data in `dataset` and `split`.

    Raises
    ------
    CheckpointError
        If the folder holds no finished run, or the data or the weights are not those of the run.
    ResultError
        If the result is damaged.
    DatasetError
        If the data cannot be read.
    """
    folder = Path(folder)
    for name in (RESULT, WEIGHTS):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{folder} does not hold a finished run: there is no {folder / name}; "
                f"{_NAME_ANOTHER}"
            )
    result = read_result(folder / RESULT, _NAME_ANOTHER)
    try:
        weights = load((folder / WEIGHTS).read_bytes())
    except SafetensorError as error:
        raise CheckpointError(
            f"{folder / WEIGHTS} is not a complete safetensors file: {error}; {_NAME_ANOTHER}"
        ) from error
    # S3-Rec is a SASRec with other initial weights, which the loaded ones replace.
    settings = TrainingSettings(**(result.settings | {"model": "sasrec", "device": "auto"}))
    dataset = load_dataset(result.dataset, data_dir)
    if result.data_sha256 not in (None, dataset.sha256):
        raise CheckpointError(
            f"{folder} is a run on other data of the same name, {dataset.name}: name the folder of "
            "its data with --data-dir"
        )
    trainer = Trainer(dataset, result.sampler, settings)
    try:
        trainer.model.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(
            f"{folder / WEIGHTS} does not match the run in {RESULT}: {error}"
        ) from error
    return result, trainer
