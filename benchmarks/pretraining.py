"""Cost of pre-training S3-Rec on one core, and the share of matrix products in it.

``python -m benchmarks.pretraining Beauty Toys`` reads the data from the folder in NEGSAMP_DATA,
writes ``results/pretraining/NAME.json``, and prints a table of all files there.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.data_sets import Names, measure_each
from benchmarks.machine import surroundings
from negsamp_models.datasets import load_dataset
from negsamp_models.s3rec import Pretrainer
from negsamp_models.settings import published_epochs

__all__ = ["measure", "table"]

RESULTS = Path("results/pretraining")
NUM_BATCHES, NUM_PASSES = 60, 6
"""Batches measured, and times that each is trained on."""
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm")
"""Operations that are matrix products."""


def measure(name: str) -> dict[str, Any]:
    """Measure training steps with the authors' settings on a data set.

    Some batches are trained on several times each, and the fastest pass of each counts, in CPU
    time: other work on the machine hardly disturbs all passes.
    """
    pretrainer = Pretrainer(load_dataset(name, attributes=True))
    pretrainer.model.train()
    size, num_samples = pretrainer.settings.batch_size, len(pretrainer.prefixes)
    order = np.random.default_rng(0).permutation(num_samples)

    def step(batch: int) -> float:
        before = time.process_time()
        numbers = order[batch * size : (batch + 1) * size]
        pretrainer._step(numbers, np.random.default_rng(batch))
        return time.process_time() - before

    for batch in range(3):  # one-time compilation
        step(batch)
    passes = [[step(batch) for batch in range(NUM_BATCHES)] for _ in range(NUM_PASSES)]
    with FlopCounterMode(display=False) as counter:
        for batch in range(NUM_BATCHES):
            step(batch)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for batch in range(NUM_BATCHES):
            step(batch)
    spent = {event.key: event.self_cpu_time_total for event in profiler.key_averages()}
    dataset = pretrainer.dataset.name
    return {
        "dataset": dataset,
        "num_samples": num_samples,
        "num_steps": -(-num_samples // size),
        "epochs": published_epochs(dataset),
        "gigaflop_per_step": counter.get_total_flops() / NUM_BATCHES / 1e9,
        "seconds_per_step": float(np.min(passes, axis=0).mean()),
        "share_of_products": sum(spent[name] for name in PRODUCTS) / sum(spent.values()),
        **surroundings(),
    }


def table(results: list[dict[str, Any]]) -> str:
    """Return a Markdown table, one row per data set."""
    lines = [
        "| data | samples | steps | GFLOP a step | s an epoch | epochs | hours | in products |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for result in results:
        seconds = result["seconds_per_step"] * result["num_steps"]
        lines.append(
            f"| {result['dataset']} | {result['num_samples']:,} | {result['num_steps']:,} | "
            f"{result['gigaflop_per_step']:.2f} | {seconds:.0f} | {result['epochs']} | "
            f"{seconds * result['epochs'] / 3600:.1f} | {result['share_of_products']:.0%} |"
        )
    return "\n".join(lines) + "\n"


def main(names: Names = None) -> None:
    """Measure data sets, and print the table of all that were measured."""
    torch.set_num_threads(1)
    measure_each(names, RESULTS, measure, table)


if __name__ == "__main__":
    typer.run(main)
