"""Build the samplers of runs from their configuration and the data; ask them for alpha and beta."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from negsamp import GenNi, Interactions, Sampler, from_config
from negsamp_models.datasets import Dataset, LeaveOneOut
from negsamp_models.settings import TrainingSettings

__all__ = ["alpha_and_beta", "build_sampler", "sampler_over", "sampler_without_data"]


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
    interactions = None
    if settings.exclude_interactions:
        known = dataset.sequences if settings.leak_held_out else split.training_part
        interactions = Interactions.from_sequences(known)
    return sampler_over(config, dataset.num_items, split, settings.seed, interactions)


def sampler_over(
    config: Mapping[str, Any],
    num_items: int,
    split: LeaveOneOut,
    seed: int,
    interactions: Interactions | None,
) -> Sampler:
    """Build a sampler over all items; popularity is counted over the training part.

    Parameters and errors are those of :func:`build_sampler`, with the interactions to exclude.
    """
    arguments: dict[str, Any] = {"items": range(1, num_items + 1), "seed": seed}
    if config.get("sampler") == "popularity":
        arguments["counts"] = split.training_part.item_counts(num_items)
    return from_config(config, interactions=interactions, **arguments)


def sampler_without_data(config: Mapping[str, Any]) -> Sampler:
    """Build a sampler on a stand-in catalogue, to find wrong arguments before data are loaded.

    Raises
    ------
    ConfigError
        If the configuration is not valid.
    """
    if config.get("sampler") == "popularity":
        return from_config(config, counts=[1] * 1_000)
    return from_config(config, items=1_000_000)


def alpha_and_beta(sampler: Sampler) -> tuple[float | None, float | None]:
    """Return the present alpha and beta of a sampler; None for one that has none."""
    return (sampler.alpha, sampler.beta) if isinstance(sampler, GenNi) else (None, None)
