"""The command ``negsamp train``."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from negsamp_models.commands.option_checks import (
    check_before_data,
    check_kept_epochs,
    check_pretrained_option,
    run_options,
)
from negsamp_models.commands.options import (
    MODEL,
    SAMPLER,
    TRAINING,
    AlphaOption,
    BetaOption,
    CheckpointBatchesOption,
    CheckpointSecondsOption,
    CudaGraphsOption,
    DataDirOption,
    DatasetOption,
    DeviceOption,
    DropoutOption,
    EpochsOption,
    ExcludeOption,
    GammaOption,
    HeadsOption,
    HiddenSizeOption,
    KeepWeightsOption,
    LayersOption,
    OutputOption,
    OverwriteOption,
    PatienceOption,
    ResumeOption,
    SeedOption,
    ShardedItemsOption,
    TensorboardOption,
    given,
    parse_epochs,
    sampler_config,
    setting,
)
from negsamp_models.commands.session import joined_session
from negsamp_models.datasets import load_dataset
from negsamp_models.display.names import describe_sampler
from negsamp_models.display.results import print_means, print_results
from negsamp_models.pretrained import read_pretrained
from negsamp_models.records import RunResult
from negsamp_models.runs.seeds import runs_of_seeds
from negsamp_models.runs.train import check_folders, train_in_folder
from negsamp_models.settings import MODELS, default_settings
from negsamp_models.training.snapshots import missing_snapshots

__all__ = ["train_command"]


def train_command(
    dataset: DatasetOption = "synthetic",
    data_dir: DataDirOption = None,
    sampler: Annotated[
        str, typer.Option(help="uniform, popularity or genni.", rich_help_panel=SAMPLER)
    ] = "genni",
    num_negatives: Annotated[
        int,
        typer.Option(
            "--num-negatives",
            "-k",
            min=1,
            help="Number of negatives per positive.",
            rich_help_panel=SAMPLER,
        ),
    ] = 1,
    alpha: AlphaOption = None,
    beta: BetaOption = None,
    gamma: GammaOption = None,
    exclude_interactions: ExcludeOption = False,
    sharded_items: ShardedItemsOption = False,
    model: Annotated[
        Literal["sasrec", "s3rec"],
        typer.Option(
            help="sasrec, or s3rec: SASRec from pre-trained weights.", rich_help_panel=MODEL
        ),
    ] = "sasrec",
    pretrained: Annotated[
        Path | None,
        typer.Option(
            help="For s3rec: pretrained.safetensors of `negsamp pretrain`. Its sizes are used.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    hidden_size: HiddenSizeOption = None,
    num_layers: LayersOption = None,
    num_heads: HeadsOption = None,
    dropout: DropoutOption = None,
    max_length: Annotated[
        int | None, setting("Longest input sequence, in items.", "max_length", panel=MODEL)
    ] = None,
    loss: Annotated[
        Literal["nce", "bpr", "sampled_softmax"],
        typer.Option(
            help="nce (eq. 4), bpr (section 4.2), or a softmax corrected by log_q.",
            rich_help_panel=TRAINING,
        ),
    ] = "nce",
    seed: SeedOption = 0,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Train with this many seeds, one after the other, from --seed on: each in a "
            "folder seedN of the output folder. Prints the mean and deviation over them.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    max_epochs: EpochsOption = None,
    patience: PatienceOption = None,
    batch_size: Annotated[
        int | None, setting("Sequences per batch.", "batch_size", panel=TRAINING)
    ] = None,
    learning_rate: Annotated[
        float | None, setting("Learning rate of Adam.", "learning_rate", panel=TRAINING)
    ] = None,
    device: DeviceOption = "auto",
    cuda_graphs: CudaGraphsOption = False,
    output: OutputOption = Path("negsamp-run"),
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    checkpoint_seconds: CheckpointSecondsOption = 300.0,
    checkpoint_batches: CheckpointBatchesOption = None,
    tensorboard: TensorboardOption = False,
    keep_weights: KeepWeightsOption = "",
) -> None:
    """Train one SASRec or S3-Rec, keep the epoch that is best on validation, and test it once.

    For example:

        negsamp train --sampler genni -o runs/genni

        negsamp train --dataset Beauty --alpha 2.5 -o runs/beauty

        negsamp train --dataset Beauty --alpha 2.5 -o runs/beauty-seeds --seeds 3

    Alpha and beta are numbers or schedules, written NAME:argument=value,...:

    - `exponential:m=40` grows tenfold every m epochs, from 0.001 to 1 (eq. 7, for beta);
    - `linear:initial=0,final=3,epochs=50`;
    - `loss_driven:initial=1,step=0.01` follows the loss (section 3.4, for alpha).

    While training, writes `log.jsonl` (one line per epoch, machine-readable) to the output folder;
    at the end, `result.json` (configuration, every epoch, results), `curves.png` and
    `model.safetensors` (the best weights). `negsamp plot` draws the curves of several runs.

    While training, also writes checkpoints to the subfolder `checkpoints`. After Ctrl-C, a kill, a
    full disk or a power cut, repeat the command with `--resume`: the run continues, and ends with
    the same weights and figures as if nothing had happened.

    Over several processes: `torchrun --nproc-per-node 2 -m negsamp_models train ...`; each batch is
    split over them.
    """
    with joined_session() as (processes, console):
        epochs = parse_epochs(keep_weights)
        options = run_options(
            resume=resume,
            overwrite=overwrite,
            checkpoint_seconds=checkpoint_seconds,
            checkpoint_batches=checkpoint_batches,
            tensorboard=tensorboard,
            keep_weights=epochs,
            sharded_items=sharded_items,
            cuda_graphs=cuda_graphs,
        )
        check_pretrained_option(model, pretrained)
        weights = None if pretrained is None else read_pretrained(pretrained)
        settings = replace(
            default_settings(dataset),
            model=model,
            seed=seed,
            loss=loss,
            exclude_interactions=exclude_interactions,
            device=device,
            **({} if weights is None else weights.provenance.sizes)
            | given(
                max_epochs=max_epochs,
                patience=patience,
                batch_size=batch_size,
                learning_rate=learning_rate,
                hidden_size=hidden_size,
                num_layers=num_layers,
                num_heads=num_heads,
                dropout=dropout,
                max_length=max_length,
            ),
        )
        check_kept_epochs(epochs, settings.max_epochs)
        config = sampler_config(sampler, alpha, beta, gamma) | {"num_negatives": num_negatives}
        check_before_data([config], settings, options, processes)
        runs = runs_of_seeds(settings, seeds, output)
        check_folders(runs, options)
        data = load_dataset(dataset, data_dir)
        results: list[RunResult] = []
        for folder, own in runs.items():
            if seeds is not None:
                console.print(f"Seed {own.seed} ({len(results) + 1} of {seeds})", highlight=False)
            run = train_in_folder(data, config, own, folder, options, console, processes, weights)
            results.append(run)
            if seeds is None:
                title = f"{MODELS[settings.model]} on {data.name}"
                name = describe_sampler(config, asdict(settings))
                print_results(console, title, data, {name: run})
            _tell_of_files(console, folder, epochs)
        if seeds is not None:
            print_means(console, data, results)


def _tell_of_files(console: Console, folder: Path, kept_epochs: tuple[int, ...]) -> None:
    """Print where the files of a run are, and which weights were not kept."""
    console.print(f"In {folder}: result.json, curves.png, model.safetensors", markup=False)
    if missing := missing_snapshots(folder / "weights", kept_epochs):
        console.print(
            f"Not kept: the weights after {', '.join(map(str, missing))} epochs. The run had "
            "passed them before --keep-weights was given, or ended before them."
        )
