"""Check combinations of command line options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from negsamp import ConfigError
from negsamp_models.display.logs import event_writer
from negsamp_models.processes import Processes
from negsamp_models.settings import RunOptions, TrainingSettings
from negsamp_models.training.captured import check_cuda_graphs
from negsamp_models.training.drawing import check_sharded_items
from negsamp_models.training.samplers import sampler_without_data
from negsamp_models.wording import plural

__all__ = ["check_before_data", "check_kept_epochs", "check_pretrained_option", "run_options"]


def run_options(**options: Any) -> RunOptions:
    """Check options, and return those of a run.

    Parameters
    ----------
    **options
        Fields of :class:`~negsamp_models.settings.RunOptions`.

    Raises
    ------
    ConfigError
        If options exclude each other, or the package tensorboard is needed and missing.
    ConfigError, TrainingSettingsError
        If an option is out of range.
    """
    if options["resume"] and options["overwrite"]:
        raise ConfigError("give either --resume or --overwrite; got both")
    if options.get("tensorboard"):
        event_writer()  # fail before --overwrite removes anything
    return RunOptions(**options)


def check_before_data(
    samplers: Iterable[Mapping[str, Any]],
    settings: TrainingSettings,
    options: RunOptions,
    processes: Processes,
) -> None:
    """Find what is wrong with the settings of runs before their data are loaded, or downloaded.

    Raises
    ------
    ConfigError, TrainingSettingsError
        As by a :class:`~negsamp_models.training.Trainer`.
    """
    device = processes.device(settings)
    if options.cuda_graphs:
        check_cuda_graphs(processes, device)
    for sampler in map(sampler_without_data, samplers):
        if options.sharded_items:
            check_sharded_items(sampler, processes)


def check_pretrained_option(model: str, pretrained: Path | None) -> None:
    """Refuse ``--model s3rec`` without ``--pretrained``, and vice versa.

    Raises
    ------
    ConfigError
        If one of them is missing.
    """
    if model == "s3rec" and pretrained is None:
        raise ConfigError("--model s3rec needs --pretrained FILE; make one with `negsamp pretrain`")
    if model != "s3rec" and pretrained is not None:
        raise ConfigError(f"--pretrained is for --model s3rec; the model is {model}")


def check_kept_epochs(epochs: Sequence[int], max_epochs: int) -> None:
    """Refuse to keep weights of epochs that a run cannot reach.

    Raises
    ------
    ConfigError
        If there are any; the message lists them.
    """
    if beyond := [str(each) for each in epochs if each > max_epochs]:
        raise ConfigError(
            f"--keep-weights {','.join(beyond)}: the run has at most "
            f"{plural(max_epochs, 'epoch')}; leave out later ones, or raise --max-epochs"
        )
