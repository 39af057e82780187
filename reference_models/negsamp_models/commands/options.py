"""Command line options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import negsamp
from negsamp_models.settings import SYNTHETIC_SETTINGS, TrainingSettings

__all__ = [
    "DATA",
    "MODEL",
    "OUTPUT",
    "SAMPLER",
    "TRAINING",
    "AlphaOption",
    "BetaOption",
    "CheckpointBatchesOption",
    "CheckpointSecondsOption",
    "CudaGraphsOption",
    "DataDirOption",
    "DatasetOption",
    "DeviceOption",
    "DropoutOption",
    "EpochsOption",
    "ExcludeOption",
    "GammaOption",
    "HeadsOption",
    "HiddenSizeOption",
    "KeepWeightsOption",
    "LayersOption",
    "OutputOption",
    "OverwriteOption",
    "PatienceOption",
    "ResumeOption",
    "SeedOption",
    "ShardedItemsOption",
    "TensorboardOption",
    "given",
    "parse_epochs",
    "parse_schedule",
    "sampler_config",
    "setting",
]


DATA, SAMPLER, MODEL, TRAINING, OUTPUT = "Data", "Sampler", "Model", "Training", "Output"
"""Panels of the help output."""

_DEFAULT_SETTINGS = TrainingSettings()


def setting(
    text: str,
    name: str,
    *flags: str,
    panel: str,
    default: Any = _DEFAULT_SETTINGS,
    synthetic: Any = SYNTHETIC_SETTINGS,
) -> Any:
    """Return the option of a setting; its help states the default for each data set.

    Parameters
    ----------
    text : str
        The help text, in one or more sentences.
    name : str
        Name of the setting.
    *flags : str
        The flag, if its name is not that of the parameter.
    panel : str
        Panel of the help output.
    default, synthetic
        Default settings of any data set, and of the synthetic one.
    """
    value, embedded = (f"{getattr(each, name):g}" for each in (default, synthetic))
    values = value if embedded == value else f"{value}; {embedded} for synthetic"
    return typer.Option(*flags, help=f"{text} Default {values}.", rich_help_panel=panel)


DatasetOption = Annotated[
    str,
    typer.Option(
        help="synthetic (embedded, no network), Beauty, Sports, Toys, Yelp, or NAME for your own "
        "NAME.txt in --data-dir: one user per line, `user item item ...`, ids from 1.",
        rich_help_panel=DATA,
    ),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the data files. Default: the environment variable NEGSAMP_DATA, else the "
        "user's cache, into which the four public sets are downloaded and checked.",
        rich_help_panel=DATA,
    ),
]
OutputOption = Annotated[
    Path,
    typer.Option(
        "--output", "-o", help="Folder for the results; created if missing.", rich_help_panel=OUTPUT
    ),
]
SeedOption = Annotated[
    int,
    typer.Option(help="Seed of weights, batches, dropout and negatives.", rich_help_panel=TRAINING),
]
EpochsOption = Annotated[
    int | None,
    setting("Train for at most this many epochs.", "max_epochs", "--max-epochs", panel=TRAINING),
]
PatienceOption = Annotated[
    int | None,
    setting(
        "Stop after this many epochs without a better validation NDCG@10.",
        "patience",
        panel=TRAINING,
    ),
]
HiddenSizeOption = Annotated[
    int | None, setting("Size of the embeddings.", "hidden_size", panel=MODEL)
]
LayersOption = Annotated[
    int | None, setting("Number of transformer layers.", "num_layers", panel=MODEL)
]
HeadsOption = Annotated[
    int | None,
    setting("Number of attention heads; divides the hidden size.", "num_heads", panel=MODEL),
]
DropoutOption = Annotated[
    float | None, setting("Dropout probability, in [0, 1).", "dropout", panel=MODEL)
]
ExcludeOption = Annotated[
    bool,
    typer.Option(
        "--exclude-interactions",
        help="Exclude all items of the user's training part from the negatives, not only the "
        "target.",
        rich_help_panel=SAMPLER,
    ),
]
DeviceOption = Annotated[
    str, typer.Option(help="auto, cpu, cuda or cuda:N.", rich_help_panel=TRAINING)
]
ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Continue from the last checkpoint in the output folder, bit for bit. Start if there "
        "is none; show the result again if the run is finished.",
        rich_help_panel=OUTPUT,
    ),
]
OverwriteOption = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Start over, and remove the files of an earlier run from the output folder.",
        rich_help_panel=OUTPUT,
    ),
]
CheckpointSecondsOption = Annotated[
    float,
    typer.Option(
        help="Also save within an epoch, after this many seconds. A checkpoint is saved after "
        "every epoch too, unless saving takes more than 5 % of the time.",
        rich_help_panel=OUTPUT,
    ),
]
CheckpointBatchesOption = Annotated[
    int | None,
    typer.Option(
        help="Save after this many batches, and after every epoch, whatever it costs.",
        rich_help_panel=OUTPUT,
    ),
]
KeepWeightsOption = Annotated[
    str,
    typer.Option(
        metavar="EPOCHS",
        help="Keep the weights after these epochs, such as 0,1,5,20, for `negsamp law`; 0 is "
        "before training.",
        rich_help_panel=OUTPUT,
    ),
]
ShardedItemsOption = Annotated[
    bool,
    typer.Option(
        "--sharded-items",
        help="Under torchrun, for genni: each process scores only its slice of the items, for the "
        "rows of all processes; the negatives are the same. Only the sampler's scores are divided: "
        "each process still holds, trains and evaluates the whole table.",
        rich_help_panel=SAMPLER,
    ),
]
CudaGraphsOption = Annotated[
    bool,
    typer.Option(
        "--cuda-graphs",
        help="On one GPU with Triton: run each step as one CUDA graph, with the data on the "
        "device. Negatives and noise differ from those of a run without it, but have the same "
        "laws. Not measured yet.",
        rich_help_panel=TRAINING,
    ),
]
TensorboardOption = Annotated[
    bool,
    typer.Option(
        "--tensorboard",
        help="Write logs for TensorBoard to the folder tensorboard of the run; view them with "
        '`tensorboard --logdir FOLDER`. Needs `pip install "negsamp[watch]"`.',
        rich_help_panel=OUTPUT,
    ),
]


AlphaOption = Annotated[
    str | None,
    typer.Option(
        help="For genni: hardness, a number or a schedule; 0 is uniform. Default 2.5.",
        rich_help_panel=SAMPLER,
    ),
]
BetaOption = Annotated[
    str | None,
    typer.Option(
        help="For genni: fraction of the catalogue to pre-select, a number or a schedule. "
        "Default 1.",
        rich_help_panel=SAMPLER,
    ),
]
GammaOption = Annotated[
    float | None,
    typer.Option(
        help="For popularity: power of the counts. Default 0.75.", rich_help_panel=SAMPLER
    ),
]


def parse_schedule(name: str, text: str) -> float | dict[str, Any]:
    """Parse a number, or a schedule written NAME:argument=value,..., as a configuration.

    Raises
    ------
    ConfigError
        If the text is neither.
    """
    try:
        return float(text)
    except ValueError:
        pass
    kind, _, arguments = text.partition(":")
    config: dict[str, Any] = {"schedule": kind}
    for argument in filter(None, arguments.split(",")):
        key, _, value = argument.partition("=")
        try:
            config[key.strip()] = int(value) if value.strip().isdigit() else float(value)
        except ValueError:
            raise negsamp.ConfigError(
                f"--{name} {text!r}: write a number, or a schedule as NAME:argument=number,..., "
                "such as exponential:m=40 or loss_driven:initial=1,step=0.01"
            ) from None
    if not arguments:  # a schedule without arguments, or a mistyped number
        try:
            negsamp.from_config({"sampler": "genni", "items": 2, name: config})
        except negsamp.ConfigError as error:
            raise negsamp.ConfigError(
                f"--{name} {text!r} is not a number; read as a schedule: {error}"
            ) from None
    return config


def sampler_config(
    sampler: str, alpha: str | None, beta: str | None, gamma: float | None
) -> dict[str, Any]:
    """Return the configuration of a sampler, with defaults for options not given.

    Raises
    ------
    ConfigError
        If an option was given that the sampler does not have.
    """
    owners = {"alpha": "genni", "beta": "genni", "gamma": "popularity"}
    for name in given(alpha=alpha, beta=beta, gamma=gamma):
        if sampler in ("uniform", *owners.values()) and owners[name] != sampler:
            raise negsamp.ConfigError(f"--{name} is for {owners[name]}; the sampler is {sampler}")
    config: dict[str, Any] = {"sampler": sampler}
    if sampler == "popularity":
        config["gamma"] = 0.75 if gamma is None else gamma
    if sampler == "genni":
        config["alpha"] = parse_schedule("alpha", "2.5" if alpha is None else alpha)
        config["beta"] = parse_schedule("beta", "1.0" if beta is None else beta)
    return config


def parse_epochs(text: str) -> tuple[int, ...]:
    """Parse a comma-separated list of epoch numbers.

    Raises
    ------
    ConfigError
        If the text is anything else.
    """
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise negsamp.ConfigError(
            f"--keep-weights {text!r}: write epochs as whole numbers, such as 0,1,5,20"
        ) from None


def given(**options: Any) -> dict[str, Any]:
    """Return the options that are not None."""
    return {name: value for name, value in options.items() if value is not None}
