"""Check combinations of command line options, and whether this machine supports them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from negsamp import ConfigError
from negsamp_models.display.logs import event_writer
from negsamp_models.processes import Processes
from negsamp_models.settings import RunOptions, device_named
from negsamp_models.wording import plural
from negsamp_torch import fused

__all__ = ["check_graphs_option", "check_kept_epochs", "check_pretrained_option", "run_options"]


def run_options(processes: Processes, device: str, sampler: str, **options: Any) -> RunOptions:
    """Check options, and return those of a run.

    Parameters
    ----------
    processes : Processes
        The processes that share the run.
    device, sampler : str
        As given to the command.
    **options
        Fields of :class:`~negsamp_models.settings.RunOptions`.

    Raises
    ------
    ConfigError
        If options exclude each other, the package tensorboard is needed and missing, or as raised
        by `check_graphs_option`.
    TrainingSettingsError
        If an option is out of range, or there is no such device.
    """
    if options["resume"] and options["overwrite"]:
        raise ConfigError("give either --resume or --overwrite; got both")
    if options.get("cuda_graphs"):
        check_graphs_option(processes, device)
    if options.get("sharded_items"):
        if processes.size == 1:
            raise ConfigError(
                "--sharded-items needs several processes: start the run with torchrun"
            )
        if sampler != "genni":
            raise ConfigError(f"--sharded-items is for genni; the sampler is {sampler}")
    if options.get("tensorboard"):
        event_writer()  # fail before --overwrite removes anything
    return RunOptions(**options)


def check_graphs_option(processes: Processes, device: str) -> None:
    """Refuse ``--cuda-graphs`` where steps cannot be captured.

    Raises
    ------
    ConfigError
        If there are several processes, or the device is not a CUDA device that Triton supports.
    TrainingSettingsError
        If there is no such device.
    """
    place = device_named(device)
    if processes.size > 1:
        raise ConfigError("--cuda-graphs needs a single process: start the run without torchrun")
    if place.type != "cuda":
        raise ConfigError("--cuda-graphs needs a CUDA device; this run is on the CPU")
    if not fused.works_on(place):
        raise ConfigError("--cuda-graphs needs Triton, and a GPU that its kernels run on")


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
