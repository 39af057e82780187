"""Check combinations of command line options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from negsamp import ConfigError
from negsamp_models.display.logs import event_writer
from negsamp_models.settings import RunOptions
from negsamp_models.wording import plural

__all__ = ["check_kept_epochs", "check_pretrained_option", "run_options"]


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
