"""Profile of training and evaluation, and the lower bound set by the arithmetic.

``python -m benchmarks.training Beauty`` reads the data from the folder in NEGSAMP_DATA, measures
SASRec with uniform negatives, writes ``results/training/NAME.json``, and prints a table of all
files there.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import typer
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.data_sets import Names, measure_each
from benchmarks.machine import surroundings
from negsamp_models import evaluation
from negsamp_models.datasets import load_dataset
from negsamp_models.evaluation import rank_users
from negsamp_models.processes import on_threads
from negsamp_models.settings import TrainingSettings
from negsamp_models.training import Trainer

__all__ = ["measure", "table"]

RESULTS = Path("results/training")
NUM_PASSES, USERS_PER_PART = 5, 2048
"""Passes over each part, of which the fastest counts, and users in a part of the evaluation."""
SMALLEST_SHARE = 0.005
"""Operations with a smaller share of the time are not recorded."""
KINDS = {
    "products": ("mm", "addmm", "bmm", "_scaled_dot_product_flash_attention_for_cpu"),
    "norms, GELU, softmax": (
        *("native_layer_norm", "native_layer_norm_backward", "gelu", "gelu_backward"),
        *("_softmax", "_softmax_backward_data"),
    ),
    "embeddings, Adam": ("embedding_dense_backward", "index_select", "fill_", "_fused_adam_"),
    "counting": ("ge", "sum"),
}


def measure(name: str) -> dict[str, Any]:
    """Measure an epoch of training steps, and the evaluation of all users of a data set.

    All seconds are CPU time, which other work on the machine hardly affects.
    """
    dataset = load_dataset(name)
    trainer = Trainer(dataset, {"sampler": "uniform"}, TrainingSettings(device="cpu"))
    batches, questions = trainer._batches(0), trainer.split.validation
    users = np.arange(len(questions.answers))
    parts = [
        questions.take(users[first : first + USERS_PER_PART])
        for first in range(0, len(users), USERS_PER_PART)
    ]
    speed = _flops_per_second()
    trainer.model.train()
    epoch = _cost([partial(trainer.stepper.take, places) for places in batches], speed)
    trainer.model.eval()
    ranks = [partial(rank_users, trainer.model, part) for part in parts]
    return {
        "dataset": dataset.name,
        "num_users": len(users),
        "num_items": dataset.num_items,
        "gigaflop_per_second": speed / 1e9,
        "epoch": epoch,
        "evaluation": _cost(ranks, speed) | {"seconds_on_two": _busier_of_two(ranks)},
        **surroundings(),
    }


def table(results: list[dict[str, Any]]) -> str:
    """Return a Markdown table, two rows per data set."""
    heads = ["data", "what", "GFLOP", "floor, s", "one thread, s", "two threads, s", *KINDS, "rest"]
    lines = [f"| {' | '.join(heads)} |", f"| --- | --- |{' ---: |' * (len(heads) - 2)}"]
    for result in results:
        for what in ("epoch", "evaluation"):
            cost = result[what]
            named = [sum(cost["shares"].get(name, 0) for name in names) for names in KINDS.values()]
            shares = [f"{share:.0%}" for share in [*named, 1 - sum(named)]]
            two = f"{cost['seconds_on_two']:.2f}" if "seconds_on_two" in cost else ""
            lines.append(
                f"| {result['dataset']} | {what} | {cost['gigaflop']:.0f} | {cost['floor']:.2f} | "
                f"{cost['seconds']:.2f} | {two} | {' | '.join(shares)} |"
            )
    return "\n".join(lines) + "\n"


def _cost(parts: Sequence[Callable[[], Any]], flops_per_second: float) -> dict[str, Any]:
    """Measure parts on one thread; the fastest pass over each part counts."""
    torch.set_num_threads(1)
    parts[0]()  # one-time compilation
    seconds = _fastest(parts, time.process_time)
    with FlopCounterMode(display=False) as counter:
        for part in parts:
            part()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for part in parts:
            part()
    events = profiler.key_averages()
    spent = {event.key.removeprefix("aten::"): event.self_cpu_time_total for event in events}
    return {
        "seconds": seconds,
        "gigaflop": counter.get_total_flops() / 1e9,
        "floor": counter.get_total_flops() / flops_per_second,
        "shares": {
            name: microseconds / sum(spent.values())
            for name, microseconds in sorted(spent.items(), key=lambda each: -each[1])
            if microseconds > SMALLEST_SHARE * sum(spent.values())
        },
    }


def _busier_of_two(parts: Sequence[Callable[[], Any]]) -> float:
    """Measure parts that run on two threads, by the CPU time of the busier thread."""
    busier = 0.0

    def counted(do: Callable[[Any], Any], pieces: Iterable[Any]) -> list[Any]:
        spent: dict[int, float] = defaultdict(float)

        def timed(piece: Any) -> Any:
            before = time.thread_time()
            outcome = do(piece)
            spent[threading.get_ident()] += time.thread_time() - before
            return outcome

        nonlocal busier
        outcomes = on_threads(timed, pieces)
        busier += max(spent.values())
        return outcomes

    def passed() -> float:
        nonlocal busier
        busier, before = 0.0, time.thread_time()
        for part in parts:
            part()
        return time.thread_time() - before + busier

    torch.set_num_threads(2)
    with patch.object(evaluation, "on_threads", counted):
        return min(passed() for _ in range(NUM_PASSES))


def _fastest(parts: Sequence[Callable[[], Any]], clock: Callable[[], float]) -> float:
    passes = []
    for _ in range(NUM_PASSES):
        marks = [clock()]
        for part in parts:
            part()
            marks.append(clock())
        passes.append(np.diff(marks))
    return float(np.min(passes, axis=0).sum())


def _flops_per_second() -> float:
    """Return the best speed at which one thread multiplies matrices of the model's width."""
    torch.set_num_threads(1)
    left, right, product = torch.randn(1024, 64), torch.randn(64, 1024), torch.empty(1024, 1024)
    multiply = partial(torch.mm, left, right, out=product)
    return 2 * 1024 * 64 * 1024 / min(_fastest([multiply], time.process_time) for _ in range(20))


def main(names: Names = None) -> None:
    """Measure data sets, and print the table of all that were measured."""
    measure_each(names, RESULTS, measure, table)


if __name__ == "__main__":
    typer.run(main)
