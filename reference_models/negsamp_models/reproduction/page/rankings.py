"""The ways to rank the test items of a data set."""

from __future__ import annotations

from collections.abc import Mapping

from negsamp_models.datasets.sources import full_name
from negsamp_models.records import RunResult

__all__ = ["rankings", "returns"]


def returns(run: RunResult) -> bool:
    """Whether users return to items, as far as the result of a run tells.

    Ranking the seen items too only adds wrong ones, unless the answer is among them: a metric that
    it improves is of data whose users return.
    """
    return any(run.test_unmasked[name] > value for name, value in run.test.items())


def rankings(dataset: str, results: Mapping[str, RunResult]) -> list[tuple[str, bool]]:
    """Return the ways to rank test items of a data set: name, and whether seen items are masked.

    Both, if users return to items in the results of the data set; otherwise the one with them
    masked, under the name of the data set.
    """
    name = full_name(dataset)
    if not any(run.dataset == name and returns(run) for run in results.values()):
        return [(dataset, True)]
    return [(f"{dataset}, seen items masked", True), (f"{dataset}, seen items ranked", False)]
