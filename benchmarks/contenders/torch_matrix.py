"""The usual way in torch: the matrix of all scores, then a draw from each of its rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from benchmarks.checks import wrong_draws
from benchmarks.problems import Problem
from benchmarks.work import Contender, Place, Work, as_it_is

__all__ = ["CONTENDERS", "CUMSUM", "SOFTMAX", "softmax_multinomial"]

SOFTMAX = "torch softmax + multinomial"
CUMSUM = "torch cumsum + searchsorted"


def admissible_scores(problem: Problem, place: Place) -> Callable[[], tuple[Any, Any]]:
    """Return a function that computes scores, -inf where excluded, and the ids of the columns."""
    setting = problem.setting
    queries, items = (place(torch.from_numpy(each)) for each in (problem.queries, problem.items))
    rows, excluded = (place(torch.from_numpy(each)) for each in problem.excluded)
    all_ids = torch.arange(1, setting.num_items + 1, device=queries.device)

    def run() -> tuple[Any, Any]:
        if setting.beta == 1:
            scores = queries @ items[1:].T
            scores[rows, excluded - 1] = -torch.inf
            return scores, all_ids
        permuted = torch.randperm(setting.num_items, device=queries.device)
        chosen = permuted[: setting.num_candidates] + 1
        column = torch.full((setting.num_items + 1,), -1, device=queries.device)
        column[chosen] = torch.arange(len(chosen), device=queries.device)
        scores = queries @ items[chosen].T
        place = column[excluded]
        scores[rows[place >= 0], place[place >= 0]] = -torch.inf
        return scores, chosen

    return run


def softmax_multinomial(problem: Problem, place: Place = as_it_is) -> Work:
    """Apply softmax to each row, and draw with ``torch.multinomial``."""
    make, num_negatives = admissible_scores(problem, place), problem.setting.num_negatives

    def run() -> Any:
        scores, ids = make()
        return ids[torch.multinomial(torch.softmax(scores, 1), num_negatives, replacement=True)]

    return Work(run, partial(wrong_draws, problem))


def cumsum_searchsorted(problem: Problem) -> Work:
    """Draw by inversion of the cumulative sums of each row."""
    make = admissible_scores(problem, as_it_is)
    shape = problem.setting.rows, problem.setting.num_negatives

    def run() -> Any:
        scores, ids = make()
        scores -= scores.amax(1, keepdim=True)
        sums = scores.exp_().cumsum(1)
        places = torch.searchsorted(sums, torch.rand(shape) * sums[:, -1:], right=True)
        return ids[places.clamp_(max=len(ids) - 1)]

    return Work(run, partial(wrong_draws, problem))


CONTENDERS = (
    Contender(
        SOFTMAX,
        "peer",
        ("genni",),
        softmax_multinomial,
        "torch.matmul, torch.softmax, torch.multinomial",
        holds_scores=True,
    ),
    Contender(
        CUMSUM,
        "peer",
        ("genni",),
        cumsum_searchsorted,
        "torch.matmul, exp, torch.cumsum, torch.searchsorted",
        holds_scores=True,
    ),
)
