"""The command ``negsamp pretrain``."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from negsamp import ConfigError
from negsamp_models.commands.option_checks import run_options
from negsamp_models.commands.options import (
    MODEL,
    SAMPLER,
    TRAINING,
    AlphaOption,
    BetaOption,
    CheckpointBatchesOption,
    CheckpointSecondsOption,
    DataDirOption,
    DatasetOption,
    DeviceOption,
    DropoutOption,
    GammaOption,
    HeadsOption,
    HiddenSizeOption,
    LayersOption,
    OutputOption,
    OverwriteOption,
    ResumeOption,
    SeedOption,
    given,
    sampler_config,
    setting,
)
from negsamp_models.commands.session import joined_session
from negsamp_models.datasets import load_dataset
from negsamp_models.datasets.sources import full_name
from negsamp_models.display.pretraining import PretrainingDisplay
from negsamp_models.runs.pretrain import RESULT, WEIGHTS, pretrain_in_folder
from negsamp_models.settings import (
    OBJECTIVES,
    ObjectiveWeights,
    PretrainingSettings,
    published_epochs,
)
from negsamp_models.training.samplers import sampler_without_data

__all__ = ["SYNTHETIC_PRETRAINING", "pretrain_command"]

SYNTHETIC_PRETRAINING = PretrainingSettings(epochs=20, hidden_size=32, max_length=20, dropout=0.2)
"""For the embedded data: takes about two minutes; the sizes are those of ``negsamp train``."""

_setting = partial(
    setting, panel=TRAINING, default=PretrainingSettings(), synthetic=SYNTHETIC_PRETRAINING
)
_weight = partial(_setting, default=ObjectiveWeights(), synthetic=SYNTHETIC_PRETRAINING.weights)


def pretrain_command(
    dataset: DatasetOption = "synthetic",
    data_dir: DataDirOption = None,
    sampler: Annotated[
        str,
        typer.Option(
            help="Sampler of the negatives of masked items: uniform (as the authors), popularity "
            "or genni.",
            rich_help_panel=SAMPLER,
        ),
    ] = "uniform",
    alpha: AlphaOption = None,
    beta: BetaOption = None,
    gamma: GammaOption = None,
    hidden_size: HiddenSizeOption = None,
    num_layers: LayersOption = None,
    num_heads: HeadsOption = None,
    dropout: DropoutOption = None,
    max_length: Annotated[
        int | None, _setting("Longest prefix, in items.", "max_length", panel=MODEL)
    ] = None,
    epochs: Annotated[
        int | None,
        _setting("Passes over all prefixes; 100 on Sports and Yelp, as the authors.", "epochs"),
    ] = None,
    batch_size: Annotated[int | None, _setting("Prefixes per batch.", "batch_size")] = None,
    learning_rate: Annotated[
        float | None, _setting("Learning rate of Adam.", "learning_rate")
    ] = None,
    mask_probability: Annotated[
        float | None,
        _setting(
            "Probability of masking an item; the last one of a prefix is always masked.",
            "mask_probability",
        ),
    ] = None,
    associated_attributes: Annotated[
        float | None,
        _weight("Weight of the associated-attribute objective.", "associated_attributes"),
    ] = None,
    masked_items: Annotated[
        float | None, _weight("Weight of the masked-item objective.", "masked_items")
    ] = None,
    masked_attributes: Annotated[
        float | None, _weight("Weight of the masked-attribute objective.", "masked_attributes")
    ] = None,
    segments: Annotated[
        float | None, _weight("Weight of the segment objective.", "segments")
    ] = None,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    output: OutputOption = Path("negsamp-pretrained"),
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    checkpoint_seconds: CheckpointSecondsOption = 300.0,
    checkpoint_batches: CheckpointBatchesOption = None,
) -> None:
    """S3-Rec: pre-train a bidirectional SASRec on item attributes and masked items.

    Every prefix of the training part of every user is a sample, on which the model is trained with
    four objectives at once:

    - *associated attributes* (AAP): which attributes does this item have?
    - *masked items* (MIP): which item was hidden here? Ranked against one negative.
    - *masked attributes* (MAP): which attributes did it have?
    - *segments* (SP): which segment of items was cut out? Ranked against one from elsewhere.

    The data need attributes: `NAME_item2attributes.json` beside `NAME.txt`, a JSON object from
    item id to the list of its attribute ids. The items of validation and test are never used.

    Writes `pretrained.safetensors` and `pretraining.json` (the losses of every epoch) to the
    output folder. The next step, with the sampler of your choice:

    `negsamp train --model s3rec --pretrained negsamp-pretrained/pretrained.safetensors`
    """
    with joined_session() as (processes, console):
        if processes.size > 1:
            raise ConfigError(
                f"pretrain runs in one process; got {processes.size}: start it without torchrun"
            )
        options = run_options(
            resume=resume,
            overwrite=overwrite,
            checkpoint_seconds=checkpoint_seconds,
            checkpoint_batches=checkpoint_batches,
        )
        base = _defaults(full_name(dataset))
        weights = given(
            associated_attributes=associated_attributes,
            masked_items=masked_items,
            masked_attributes=masked_attributes,
            segments=segments,
        )
        settings = replace(
            base,
            seed=seed,
            device=device,
            weights=replace(base.weights, **weights),
            **given(
                epochs=epochs,
                batch_size=batch_size,
                learning_rate=learning_rate,
                mask_probability=mask_probability,
                hidden_size=hidden_size,
                num_layers=num_layers,
                num_heads=num_heads,
                dropout=dropout,
                max_length=max_length,
            ),
        )
        config = sampler_config(sampler, alpha, beta, gamma)
        settings.torch_device()  # like the sampler checked before data are loaded
        sampler_without_data(config)
        data = load_dataset(dataset, data_dir, attributes=True)
        title = f"S3-Rec on {data.name}"
        with PretrainingDisplay(title, settings.epochs, console) as display:
            result = pretrain_in_folder(data, settings, config, output, options, display)
        _print_losses(console, result.epochs[0].losses, result.epochs[-1].losses)
        console.print(f"In {output}: {WEIGHTS}, {RESULT}", markup=False)


def _defaults(dataset: str) -> PretrainingSettings:
    if dataset == "synthetic":
        return SYNTHETIC_PRETRAINING
    return PretrainingSettings(epochs=published_epochs(dataset))


def _print_losses(console: Console, first: dict[str, float], last: dict[str, float]) -> None:
    for name in OBJECTIVES:
        console.print(
            f"{name.replace('_', ' '):22s} {first[name]:9.4f} in the first epoch, "
            f"{last[name]:9.4f} in the last",
            highlight=False,
        )
