"""Names of samplers and of runs, for tables, plots and messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from negsamp_models.records import RunResult
from negsamp_models.settings import (
    PretrainingSettings,
    changed_settings,
    default_settings,
    published_epochs,
)
from negsamp_models.wording import plural

__all__ = ["describe_run", "describe_sampler"]

_IN_WORDS = ("model", "loss", "exclude_interactions", "leak_held_out")
_NAMED = {"sampler", "gamma", "alpha", "beta", "candidates", "num_negatives"}
_OF_PRETRAINING = ("batch_size", "learning_rate", "mask_probability", "weights", "dropout")


def describe_sampler(config: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Return a short name, such as ``GenNi alpha=2.5 beta=1``."""
    words = {"genni": "GenNi"}.get(config["sampler"], config["sampler"])
    parts = ["S3-Rec", words] if settings.get("model") == "s3rec" else [words]
    for name in ("gamma", "alpha", "beta"):
        if name in config:
            value = config[name]
            parts.append(
                f"{name}={_schedule(value) if isinstance(value, Mapping) else f'{value:g}'}"
            )
    if config.get("candidates", "batch") != "batch":
        parts.append(f"candidates={config['candidates']}")
    if config.get("num_negatives", 1) != 1:
        parts.append(f"k={config['num_negatives']}")
    parts += [f"{name}={config[name]}" for name in sorted(config.keys() - _NAMED)]
    if settings.get("leak_held_out"):
        parts.append("LEAKS validation and test items into the exclusion")
    elif settings["exclude_interactions"]:
        parts.append("all training items excluded")
    if settings["loss"] != "nce":
        parts.append(settings["loss"])
    return " ".join(parts)


def describe_run(result: RunResult) -> str:
    """Describe a run: its sampler, and all settings that differ from the defaults."""
    parts = [describe_sampler(result.sampler, result.settings), *_pretraining(result)]
    changed = changed_settings(result.settings, default_settings(result.dataset))
    parts += [f"{name}={value:g}" for name, value in changed.items() if name not in _IN_WORDS]
    return " ".join(parts)


def _pretraining(result: RunResult) -> Iterator[str]:
    """Yield how a run's pre-training differs from that of the authors of S3-Rec, if it does."""
    if (origin := result.pretraining) is None:
        return
    words = []
    if origin["epochs"] != published_epochs(result.dataset):
        words.append(f"for {plural(origin['epochs'], 'epoch')}")
    plain = PretrainingSettings(dropout=result.settings["dropout"])
    usual = {"sampler": {"sampler": "uniform"}} | {
        name: value for name, value in plain.decisive.items() if name in _OF_PRETRAINING
    }
    changed = {name: origin[name] for name in usual if origin.get(name, usual[name]) != usual[name]}
    if changed:
        words.append(f"with {_arguments(changed)}")
    if words:
        yield " ".join(["pre-trained", *words])


def _arguments(config: Mapping[str, Any]) -> str:
    """Format names and values; those of a nested mapping in brackets."""
    return ", ".join(
        f"{name}=({_arguments(value)})" if isinstance(value, Mapping) else f"{name}={value}"
        for name, value in config.items()
    )


def _schedule(config: Mapping[str, Any]) -> str:
    arguments = ", ".join(f"{k}={v:g}" for k, v in config.items() if k != "schedule")
    return f"{config['schedule']}({arguments})"
