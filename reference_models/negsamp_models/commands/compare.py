"""The command ``negsamp compare``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from negsamp_models.commands.option_checks import check_before_data, run_options
from negsamp_models.commands.options import (
    SAMPLER,
    CheckpointBatchesOption,
    CheckpointSecondsOption,
    CudaGraphsOption,
    DataDirOption,
    DatasetOption,
    DeviceOption,
    EpochsOption,
    ExcludeOption,
    OutputOption,
    OverwriteOption,
    PatienceOption,
    ResumeOption,
    SeedOption,
    TensorboardOption,
    given,
    sampler_config,
)
from negsamp_models.commands.session import joined_session
from negsamp_models.datasets import load_dataset
from negsamp_models.runs.compare import compare
from negsamp_models.settings import default_settings

__all__ = ["compare_command"]


def compare_command(
    dataset: DatasetOption = "synthetic",
    data_dir: DataDirOption = None,
    alpha: Annotated[
        str,
        typer.Option(
            help="For GenNi: hardness, a number or a schedule (see `negsamp train --help`).",
            rich_help_panel=SAMPLER,
        ),
    ] = "2.5",
    beta: Annotated[
        str,
        typer.Option(
            help="For GenNi: fraction of the catalogue to pre-select, a number or a schedule.",
            rich_help_panel=SAMPLER,
        ),
    ] = "1.0",
    gamma: Annotated[
        float,
        typer.Option(help="For popularity: power of the counts.", rich_help_panel=SAMPLER),
    ] = 0.75,
    exclude_interactions: ExcludeOption = False,
    seed: SeedOption = 0,
    max_epochs: EpochsOption = None,
    patience: PatienceOption = None,
    device: DeviceOption = "auto",
    cuda_graphs: CudaGraphsOption = False,
    output: OutputOption = Path("negsamp-compare"),
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    checkpoint_seconds: CheckpointSecondsOption = 300.0,
    checkpoint_batches: CheckpointBatchesOption = None,
    tensorboard: TensorboardOption = False,
) -> None:
    """Train the same SASRec with uniform, popularity and GenNi negatives, and compare.

    For example:

        negsamp compare

        negsamp compare --dataset Beauty --alpha 2.5 -o runs/beauty

    Prints HR and NDCG on the test items and the time per epoch. Writes `compare.json`
    (configuration, every epoch, results) and `compare.png` (validation curves) to the output
    folder, and in it a folder for each sampler, like that of `negsamp train`.

    `--resume` continues an interrupted comparison: finished runs are read, others are completed.

    The embedded data are synthetic: they show how it works and a tendency, not published figures.
    """
    with joined_session() as (processes, console):
        options = run_options(
            resume=resume,
            overwrite=overwrite,
            checkpoint_seconds=checkpoint_seconds,
            checkpoint_batches=checkpoint_batches,
            tensorboard=tensorboard,
            cuda_graphs=cuda_graphs,
        )
        settings = replace(
            default_settings(dataset),
            seed=seed,
            exclude_interactions=exclude_interactions,
            device=device,
            **given(max_epochs=max_epochs, patience=patience),
        )
        samplers = [
            sampler_config("uniform", None, None, None),
            sampler_config("popularity", None, None, gamma),
            sampler_config("genni", alpha, beta, None),
        ]
        check_before_data(samplers, settings, options, processes)
        data = load_dataset(dataset, data_dir)
        compare(data, settings, samplers, output, options, console, processes)
        console.print(f"Written: {output / 'compare.json'}, {output / 'compare.png'}", markup=False)
