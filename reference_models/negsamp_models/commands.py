"""The command line: compare, train, table, plot and info; other modules add the rest."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

import negsamp
from negsamp import ConfigError
from negsamp.backend import report_backends
from negsamp_models.compare import compare
from negsamp_models.curves import labelled, read_curves
from negsamp_models.datasets import load_dataset
from negsamp_models.display import results_table
from negsamp_models.law_command import law_command
from negsamp_models.marked_tables import rewrite_tables
from negsamp_models.option_checks import check_kept_epochs, check_pretrained_option, run_options
from negsamp_models.options import (
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
from negsamp_models.picture_files import picture_path
from negsamp_models.plots import plot_runs
from negsamp_models.reading import read_results
from negsamp_models.records import CHOSEN_BY
from negsamp_models.reproduction.commands import report_command, reproduce_command
from negsamp_models.results import check_writable
from negsamp_models.runs import train_in_folder
from negsamp_models.s3rec.commands import pretrain_command
from negsamp_models.s3rec.weights import read_pretrained
from negsamp_models.session import errors_reported, joined_session
from negsamp_models.settings import MODELS, default_settings
from negsamp_models.snapshots import missing_snapshots
from negsamp_models.tables import describe_sampler, markdown, summarise
from negsamp_models.whole_tables import print_whole, whole_table
from negsamp_models.wording import plural

__all__ = ["application"]

application = typer.Typer(
    name="negsamp",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""Negative samplers for retrieval and sequence models, with reference models.

    Start with `negsamp compare`: it trains the same SASRec with uniform, popularity and GenNi
    negatives on embedded data, in about two minutes, and shows how much the choice matters. Then
    run `negsamp compare --dataset Beauty` for real data.""",
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        print(f"negsamp {negsamp.__version__}")
        raise typer.Exit


@application.callback()
def _before_any_command(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Handle the options that belong to no command."""


@application.command("compare")
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
            processes,
            device,
            "genni",
            resume=resume,
            overwrite=overwrite,
            checkpoint_seconds=checkpoint_seconds,
            checkpoint_batches=checkpoint_batches,
            tensorboard=tensorboard,
            cuda_graphs=cuda_graphs,
        )
        data = load_dataset(dataset, data_dir)
        settings = replace(
            default_settings(data.name),
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
        compare(data, settings, samplers, output, options, console, processes)
        console.print(f"Written: {output / 'compare.json'}, {output / 'compare.png'}", markup=False)


@application.command("train")
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
            processes,
            device,
            sampler,
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
        data = load_dataset(dataset, data_dir)
        settings = replace(
            default_settings(data.name),
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
        name = describe_sampler(config, asdict(settings))
        result = train_in_folder(
            name, data, config, settings, output, options, console, processes, weights
        )
        title = f"{MODELS[settings.model]} on {data.name}"
        print_whole(console, results_table(title, {name: result}))
        console.print(f"Written: {output}/result.json, curves.png, model.safetensors", markup=False)
        if missing := missing_snapshots(output / "weights", epochs):
            console.print(
                f"Not kept: the weights after {', '.join(map(str, missing))} epochs. The run had "
                "passed them before --keep-weights was given, or ended before them."
            )


@application.command("table")
def table_command(
    results: Annotated[
        list[Path],
        typer.Argument(
            help="Files result.json, or folders that contain some; with --rewrite, Markdown files."
        ),
    ],
    times: Annotated[bool, typer.Option(help="Show the seconds per epoch.")] = True,
    rewrite: Annotated[
        bool, typer.Option("--rewrite", help="Update the tables marked in Markdown files.")
    ] = False,
) -> None:
    """Print a Markdown table of finished runs: test metrics in percent, means over seeds.

    The seconds per epoch are "-" if the runs of a row come from several versions of the code or
    several devices.

    To keep such a table in a Markdown file, write the lines
    `<!-- results: negsamp table PATHS -->` and `<!-- end of results -->`. With --rewrite, the
    output of the command, run in the current folder, replaces what is between such lines.
    """
    with errors_reported():
        if not rewrite:
            print(markdown(summarise(read_results(results)), times), end="")
            return
        if not times:
            raise ConfigError(
                "--rewrite runs the commands between the marks: write --no-times into those"
            )
        for file, is_new in rewrite_tables(results, Path()).items():
            print(f"{'Rewritten' if is_new else 'Unchanged'}: {file}")


@application.command("plot")
def plot_command(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders of runs, finished or not; folders of such folders; or files."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The picture: .png, .svg or .pdf.")
    ] = Path("negsamp-curves.png"),
    metric: Annotated[
        str, typer.Option(help="Validation metric: HR or NDCG at 5, 10 or 20, as in HR@5.")
    ] = CHOSEN_BY,
) -> None:
    """Plot the curves of runs side by side, during or after training.

    Shows validation over epochs and over training time, loss, alpha, beta, the entropy of the
    negatives' law (how spread out they are, in nats; it falls as they get harder), and the speed of
    sampling and its share of the time. A dot marks the epoch whose weights are kept.

    For example `negsamp compare` and then `negsamp plot negsamp-compare`.
    """
    with errors_reported():
        picture = picture_path(output)
        found = labelled(read_curves(runs))
        check_writable(picture.parent)
        plot_runs(found, picture, ", ".join(map(str, runs)), metric)
        text = f"Written: {output} ({plural(len(found), 'run')})"
        Console().print(text, highlight=False, markup=False)


application.command("pretrain")(pretrain_command)
application.command("law")(law_command)
application.command("reproduce")(reproduce_command)
application.command("report")(report_command)


_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "0"}
"""Silence TensorFlow: at any log level it reports oneDNN unless that is disabled. `info` computes
nothing, so oneDNN is not missed."""


@application.command("info")
def info_command() -> None:
    """Show the version, the backends with their devices, and why a backend is missing."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    console = Console()
    console.print(f"negsamp {negsamp.__version__}, Python {sys.version.split()[0]}")
    rows = [
        (
            report.name,
            report.details.get("version", "-"),
            report.details.get("devices", "-"),
            "[green]ready[/]" if report.problem is None else escape(report.problem),
        )
        for report in report_backends()
    ]
    print_whole(console, whole_table(["backend", "version", "devices", "status"], [], rows))
