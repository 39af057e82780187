"""Build the sampler of a run from its configuration and the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from negsamp import Interactions, Sampler, from_config
from negsamp_models.datasets import Dataset
from negsamp_models.settings import TrainingSettings
from negsamp_models.splits import LeaveOneOut

__all__ = ["build_sampler"]


def build_sampler(
    config: Mapping[str, Any], dataset: Dataset, split: LeaveOneOut, settings: TrainingSettings
) -> Sampler:
    """Build the sampler of a run; it uses only the training part of the data.

    Except in an ablation that measures the effect of a leak: with `leak_held_out` in the settings,
    the interactions are those of the whole sequences.

    Parameters
    ----------
    config : mapping
        As for :func:`negsamp.from_config`, without items, counts, interactions and seed.
    dataset, split, settings
        Those of the run.

    Returns
    -------
    Sampler

    Raises
    ------
    ConfigError
        If the configuration is not valid for the data.
    """
    arguments: dict[str, Any] = {"items": range(1, dataset.num_items + 1), "seed": settings.seed}
    if config.get("sampler") == "popularity":
        arguments["counts"] = split.training_part.item_counts(dataset.num_items)
    if settings.exclude_interactions:
        known = dataset.sequences if settings.leak_held_out else split.training_part
        arguments["interactions"] = Interactions.from_sequences(known)
    return from_config(config, **arguments)
