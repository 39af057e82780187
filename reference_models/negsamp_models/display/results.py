"""Results of runs on the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from negsamp_models.datasets import Dataset
from negsamp_models.display.tables import METRICS, markdown, summarise
from negsamp_models.display.whole_tables import print_whole, whole_table
from negsamp_models.records import RunResult

__all__ = ["print_means", "print_results", "results_table"]

SHARE_SHOWN = 0.01
"""Share of users who return to an item in the end, from which on their items are ranked too."""


def print_results(
    console: Console, title: str, dataset: Dataset, results: Mapping[str, RunResult]
) -> None:
    """Print the table of some runs, and a second one for data whose users return to items."""
    print_whole(console, results_table(title, results))
    if _answers_return(console, dataset):
        print_whole(console, results_table(f"{title}, all items ranked", results, masked=False))


def print_means(console: Console, dataset: Dataset, results: Sequence[RunResult]) -> None:
    """Print the table of ``negsamp table``, and a second one for data whose users return to items.

    In the second all items are ranked.
    """
    _print_means(console, results)
    if _answers_return(console, dataset):
        _print_means(console, [replace(run, test=run.test_unmasked) for run in results])


def _print_means(console: Console, results: Sequence[RunResult]) -> None:
    table = markdown(summarise(results))
    console.print(f"\n{table}", end="", markup=False, highlight=False, soft_wrap=True)


def _answers_return(console: Console, dataset: Dataset) -> bool:
    """Whether users return to items in the end; if so, print how many."""
    if (share := dataset.share_of_returns()) < SHARE_SHOWN:
        return False
    console.print(
        f"\nThe answer of {share:.0%} of the users is an item that they had before: a miss above, "
        "where those are left out of the ranking."
    )
    return True


def results_table(title: str, results: Mapping[str, RunResult], masked: bool = True) -> Table:
    """Return a table of test metrics in percent, one row per run, the best of each in bold.

    `masked` leaves the items of each user's input out of the ranking.
    """
    among = "among all items" if masked else "among all items, those of the input too"
    metrics = {name: run.test if masked else run.test_unmasked for name, run in results.items()}
    best = {metric: max(each[metric] for each in metrics.values()) for metric in METRICS}

    def cell(name: str, metric: str) -> str:
        text = f"{metrics[name][metric]:.2f}"
        return f"[bold]{text}[/]" if metrics[name][metric] == best[metric] else text

    rows = [
        (
            escape(name),
            *(cell(name, metric) for metric in METRICS),
            f"{result.best_epoch + 1}/{len(result.epochs)}",
            f"{result.seconds_per_epoch:.1f}",
            f"{result.sampling_share:.0%}",
        )
        for name, result in results.items()
    ]
    return whole_table(
        ["negatives"],
        [*METRICS, "best", "s/epoch", "sampling"],
        rows,
        title=escape(title),
        caption=f"test metrics in percent, ranked {among}, at the best epoch on validation",
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
