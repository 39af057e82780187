"""Train the same model with each of several samplers, and compare the results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from negsamp_models.datasets import Dataset
from negsamp_models.display.names import describe_sampler
from negsamp_models.display.plots import plot_curves
from negsamp_models.display.results import print_results
from negsamp_models.files.writing import write_json
from negsamp_models.processes import Processes
from negsamp_models.records import RunResult
from negsamp_models.runs.train import check_folders, train_in_folder
from negsamp_models.settings import RunOptions, TrainingSettings
from negsamp_models.training import Trainer

__all__ = ["compare"]


def compare(
    dataset: Dataset,
    settings: TrainingSettings,
    samplers: Iterable[Mapping[str, Any]],
    folder: Path,
    options: RunOptions,
    console: Console,
    processes: Processes,
) -> dict[str, RunResult]:
    """Train the model once with each sampler, and write a table, a picture and a JSON file.

    Parameters
    ----------
    dataset : Dataset
        What to train on.
    settings : TrainingSettings
        Of every run.
    samplers : iterable of mapping
        Configurations, as for :func:`negsamp_models.training.samplers.build_sampler`.
    folder : Path
        Gets ``compare.json`` (everything) and ``compare.png`` (validation curves), and for each
        sampler a folder, see :func:`negsamp_models.runs.train.train_in_folder`.
    options : RunOptions
        Of every run. With `resume`, finished runs are read and an interrupted one is resumed.
    console : Console
        Gets progress, the data set's statistics, and the table.
    processes : Processes
        The processes that share each run; rank 0 writes.

    Returns
    -------
    dict of str to RunResult
        By the name of the sampler, see :func:`negsamp_models.display.names.describe_sampler`.
    """
    configs = {describe_sampler(each, asdict(settings)): each for each in samplers}
    folders = {label: folder / _slug(label) for label in configs}
    check_folders(folders.values(), options)
    for config in configs.values():  # find a wrong setting before any training
        Trainer(dataset, config, settings, processes=processes, cuda_graphs=options.cuda_graphs)
    statistics = dataset.statistics()
    console.print(
        f"[bold]{escape(dataset.name)}[/]: {statistics.num_users:,} users, "
        f"{statistics.num_items:,} items, {statistics.num_actions:,} actions, "
        f"{statistics.average_length:.1f} a user. {dataset.description}".rstrip()
    )
    results = {
        label: train_in_folder(
            dataset, config, settings, folders[label], options, console, processes
        )
        for label, config in configs.items()
    }
    title = f"SASRec on {dataset.name}"
    print_results(console, title, dataset, results)
    if processes.rank == 0:
        curves = {label: run.epochs for label, run in results.items()}
        plot_curves(curves, folder / "compare.png", title)
        write_json(folder / "compare.json", {name: run.to_json() for name, run in results.items()})
    return results


def _slug(label: str) -> str:
    """Return a label as the name of a folder."""
    return re.sub(r"[^a-z0-9._=-]+", "-", label.lower()).strip("-")
