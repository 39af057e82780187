"""The same run with several seeds, each in a folder of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from negsamp_models.settings import TrainingSettings

__all__ = ["runs_of_seeds"]


def runs_of_seeds(
    settings: TrainingSettings, num_seeds: int | None, folder: Path
) -> dict[Path, TrainingSettings]:
    """Return the settings of the run of each seed by its folder, ``seedN`` in `folder`.

    The first seed is that of the settings, and the others follow it. If `num_seeds` is None, there
    is one run, in `folder` itself.

    Examples
    --------
    >>> runs = runs_of_seeds(TrainingSettings(seed=7), 2, Path("runs"))
    >>> {folder.name: each.seed for folder, each in runs.items()}
    {'seed7': 7, 'seed8': 8}
    """
    if num_seeds is None:
        return {folder: settings}
    seeds = range(settings.seed, settings.seed + num_seeds)
    return {folder / f"seed{seed}": replace(settings, seed=seed) for seed in seeds}
