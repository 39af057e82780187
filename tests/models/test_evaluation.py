"""Ranks against sorting, metrics against torchmetrics."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics.functional.retrieval import retrieval_hit_rate, retrieval_normalized_dcg

from negsamp import InvalidScoresError
from negsamp_models import evaluation
from negsamp_models.datasets import Dataset, LeaveOneOut, Sequences
from negsamp_models.datasets.packing import pack
from negsamp_models.evaluation import Metrics, rank_answers, rank_users
from negsamp_models.processes import on_threads
from negsamp_models.sasrec import SASRec


def problem(num_users: int, num_items: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    queries = torch.randint(-3, 4, (num_users, 3), generator=generator).float()
    embeddings = torch.randint(-3, 4, (num_items + 1, 3), generator=generator).float()
    answers = torch.randint(1, num_items + 1, (num_users,), generator=generator)
    return queries, embeddings, answers


def seen_by(num_users: int, num_items: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    lists = [random.integers(1, num_items + 1, random.integers(0, 6)) for _ in range(num_users)]
    return np.concatenate([*lists, np.empty(0, np.int64)]).astype(np.int64), np.concatenate(
        [[0], np.cumsum([len(each) for each in lists])]
    ).astype(np.int64)


def plain_rank(scores: list[float], answer: int, left_out: set[int]) -> int:
    """Rank by looking at every item; item 0 is none."""
    if answer in left_out:
        return len(scores)
    others = set(range(1, len(scores))) - left_out - {answer}
    return 1 + sum(scores[item] >= scores[answer] for item in others)


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 2**16), st.integers(1, 200))
def test_ranks_are_counted_right_in_any_chunks(
    num_users: int, num_items: int, seed: int, chunk: int
) -> None:
    queries, embeddings, answers = problem(num_users, num_items, seed)
    items, offsets = seen_by(num_users, num_items, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "SCORES_PER_CHUNK", chunk)
        patch.setattr(evaluation, "MIN_USERS_PER_CHUNK", 1)
        masked = rank_answers(queries, embeddings, answers, (items, offsets))
        unmasked = rank_answers(queries, embeddings, answers)
    scores = (queries @ embeddings.T).tolist()
    for user, (start, stop) in enumerate(pairwise(offsets)):
        answer = int(answers[user])
        left_out = set(items[start:stop].tolist())
        assert int(masked[user]) == plain_rank(scores[user], answer, left_out)
        assert int(unmasked[user]) == plain_rank(scores[user], answer, set())


def test_metrics_are_those_of_torchmetrics() -> None:
    generator = torch.Generator().manual_seed(1)
    queries, embeddings = torch.randn(50, 4, generator=generator), torch.randn(41, 4)
    answers = torch.randint(1, 41, (50,), generator=generator)
    metrics = Metrics.of_ranks(rank_answers(queries, embeddings, answers))
    scores = (queries @ embeddings.T)[:, 1:]
    relevant = torch.nn.functional.one_hot(answers - 1, 40)
    for k in (5, 10, 20):
        pairs = list(zip(scores, relevant, strict=True))
        hits = [retrieval_hit_rate(each, truth, top_k=k) for each, truth in pairs]
        gains = [retrieval_normalized_dcg(each, truth, top_k=k) for each, truth in pairs]
        assert metrics.hit_rate[k] == pytest.approx(float(torch.stack(hits).mean()), abs=1e-6)
        assert metrics.ndcg[k] == pytest.approx(float(torch.stack(gains).mean()), abs=1e-6)


def test_metrics_by_hand() -> None:
    metrics = Metrics.of_ranks(torch.tensor([1, 3, 5, 6, 1000]))
    assert metrics.hit_rate == {5: 0.6, 10: 0.8, 20: 0.8}
    assert metrics.ndcg[5] == pytest.approx((1 + 1 / 2 + 1 / math.log2(6)) / 5)
    assert metrics.as_percent()["HR@10"] == pytest.approx(80.0)


def test_a_collapsed_model_earns_nothing() -> None:
    queries, embeddings, answers = torch.ones(4, 3), torch.ones(101, 3), torch.tensor([1, 2, 3, 4])
    assert rank_answers(queries, embeddings, answers).tolist() == [100] * 4


def test_an_answer_that_was_seen_is_a_miss_unless_seen_items_rank() -> None:
    queries, embeddings = torch.ones(1, 1), torch.tensor([[9.0], [3.0], [2.0], [1.0]])
    seen = np.array([1]), np.array([0, 1])
    assert rank_answers(queries, embeddings, torch.tensor([1]), seen).tolist() == [4]
    assert rank_answers(queries, embeddings, torch.tensor([1])).tolist() == [1]
    assert rank_answers(queries, embeddings, torch.tensor([2]), seen).tolist() == [1]
    assert rank_answers(queries, embeddings, torch.tensor([2])).tolist() == [2]


@pytest.mark.parametrize("worst", [torch.nan, torch.inf, 1e30])
def test_nan_scores_are_no_ranks(worst: float) -> None:
    """Also where all that goes in is finite: 1e30 squared overflows, and inf - inf is no number."""
    queries, embeddings, answers = problem(3, 5, 0)
    queries[1], embeddings[4] = worst, torch.tensor([worst, -worst, 1.0])
    with pytest.raises(InvalidScoresError, match="a score is NaN"):
        rank_answers(queries, embeddings, answers)


def test_large_scores_that_are_numbers_rank() -> None:
    embeddings = torch.tensor([[0.0], [1e30], [1e38], [2e38]])
    answers = torch.tensor([1, 2, 3])
    assert rank_answers(torch.full((3, 1), 1e30), embeddings, answers).tolist() == [3, 3, 3]
    assert rank_answers(torch.full((3, 1), 1.0), embeddings, answers).tolist() == [3, 2, 1]


def test_catalogues_that_float32_cannot_count_are_counted() -> None:
    embeddings = torch.zeros(2**24 + 3, 1)
    assert rank_answers(torch.ones(1, 1), embeddings, torch.tensor([5])).tolist() == [2**24 + 2]


@pytest.mark.parametrize("num_threads", [1, 2, 3])
def test_users_are_ranked_alike_on_any_number_of_threads(
    num_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "USERS_PER_PART", 7)
    random = np.random.default_rng(2)
    lists = [random.integers(1, 41, random.integers(4, 12)).tolist() for _ in range(60)]
    split = LeaveOneOut.of(Dataset("tiny", Sequences.from_lists(lists), num_items=40), 6)
    torch.manual_seed(0)
    model = SASRec(40, 8, max_length=6)
    before, questions = torch.get_num_threads(), split.test
    try:
        torch.set_num_threads(num_threads)
        masked, plain = rank_users(model, questions), rank_users(model, questions, mask_seen=False)
        assert torch.get_num_threads() == num_threads
    finally:
        torch.set_num_threads(before)
    batch = pack(questions.inputs.item_ids, questions.inputs.offsets, 6)
    queries, answers = batch.last_tokens(model(batch)), torch.tensor(questions.answers)
    scores = (queries @ model.item_embeddings.T).tolist()
    for user, answer in enumerate(questions.answers.tolist()):
        left_out = set(questions.seen[user].tolist())
        assert int(masked[user]) == plain_rank(scores[user], answer, left_out)
        assert int(plain[user]) == plain_rank(scores[user], answer, set())
    assert not model.training
    assert len(answers) == len(masked)


def test_what_a_thread_raises_is_raised() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with pytest.raises(ZeroDivisionError):
            on_threads(lambda part: 1 / part, [1, 2, 0, 3])
        assert on_threads(lambda part: part + torch.get_num_threads(), [1, 2]) == [2, 3]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
