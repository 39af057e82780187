"""Hit rate and NDCG over the whole catalogue; ranks are counted, nothing is sorted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from negsamp import InvalidScoresError
from negsamp_models.datasets import Evaluation
from negsamp_models.datasets.packing import pack
from negsamp_models.datasets.sequences import Int64Array
from negsamp_models.processes import on_threads
from negsamp_models.sasrec import SASRec

__all__ = ["CUTOFFS", "Metrics", "rank_answers", "rank_users"]

CUTOFFS = (5, 10, 20)
USERS_PER_PART = 256
"""Users encoded together on a CPU; each part is the work of one thread."""
USERS_PER_LAUNCH = 4096
"""Users encoded together on a CUDA device, which needs large batches to be busy."""
SCORES_PER_CHUNK = 1 << 19
"""Scores computed at a time on a CPU: few enough to stay in a core's cache until counted."""
SCORES_PER_LAUNCH = 1 << 26
"""Scores computed at a time on a CUDA device."""
MIN_USERS_PER_CHUNK = 32
"""Users scored at a time on a CPU, at least, however large the catalogue is."""


@dataclass(frozen=True)
class Metrics:
    """Means over users, as fractions of 1.

    Attributes
    ----------
    hit_rate, ndcg : dict of int to float
        By cutoff k: the share of answers that rank among the first k; and the mean of
        1 / log2(1 + rank) over all answers, 0 beyond k.
    """

    hit_rate: dict[int, float]
    ndcg: dict[int, float]

    @classmethod
    def of_ranks(cls, ranks: Tensor) -> Metrics:
        """Compute from ranks, int64 of shape (num_users,), 1 being the best."""
        gains = 1.0 / torch.log2(1.0 + ranks.double())
        within = {k: ranks <= k for k in CUTOFFS}
        return cls(
            hit_rate={k: float(hit.double().mean()) for k, hit in within.items()},
            ndcg={k: float((gains * hit).mean()) for k, hit in within.items()},
        )

    def as_percent(self) -> dict[str, float]:
        """Return HR@k and NDCG@k in percent, as in the paper."""
        return {
            f"{name}@{k}": 100.0 * value
            for name, values in (("HR", self.hit_rate), ("NDCG", self.ndcg))
            for k, value in values.items()
        }


def rank_users(model: SASRec, evaluation: Evaluation, mask_seen: bool = True) -> Tensor:
    """Rank each user's answer among all items; the model is left in evaluation mode.

    Parameters
    ----------
    model : SASRec
        On any device; on a CPU, users are processed on as many threads as torch has.
    evaluation : Evaluation
        At least one user.
    mask_seen : bool
        Leave out the items that the user has seen.

    Returns
    -------
    int64, shape (num_users,)
        The ranks of :func:`rank_answers`, on the model's device.

    Raises
    ------
    InvalidScoresError
        If a score is NaN.
    """
    model.eval()
    embeddings = model.item_embeddings.detach()
    device, num_users = embeddings.device, len(evaluation.answers)
    longest = int(evaluation.inputs.lengths.max())
    size = USERS_PER_PART if device.type == "cpu" else USERS_PER_LAUNCH

    @torch.no_grad()
    def rank(first: int) -> Tensor:
        part = evaluation.take(np.arange(first, min(first + size, num_users)))
        inputs = part.inputs
        batch = pack(inputs.item_ids, inputs.offsets, model.max_length, longest).to(device)
        answers = torch.from_numpy(part.answers).to(device)
        seen = (part.seen.item_ids, part.seen.offsets) if mask_seen else None
        return rank_answers(model.ends(batch), embeddings, answers, seen)

    firsts = range(0, num_users, size)
    return torch.cat(on_threads(rank, firsts) if device.type == "cpu" else list(map(rank, firsts)))


@torch.no_grad()
def rank_answers(
    queries: Tensor,
    item_embeddings: Tensor,
    answers: Tensor,
    seen: tuple[Int64Array, Int64Array] | None = None,
) -> Tensor:
    """Rank each user's answer among all items.

    The rank is 1 + the number of other items whose score is at least the answer's: ties count
    against the model, so that equal scores for all items earn nothing. Items in `seen` are left
    out. An answer among them cannot be recommended: its rank is num_items + 1, a miss at every
    cutoff within the catalogue.

    Parameters
    ----------
    queries : float, shape (num_users, dim)
        On the device of the embeddings.
    item_embeddings : float, shape (num_items + 1, dim)
        By item id; row 0 is padding and not an item.
    answers : int64, shape (num_users,)
        Item ids.
    seen : (item_ids, offsets), optional
        The items to leave out, in compressed rows, one per user.

    Returns
    -------
    int64, shape (num_users,)

    Raises
    ------
    InvalidScoresError
        If a score is NaN.

    Notes
    -----
    One matrix product, one comparison and one addition per score. Users are processed in chunks of
    at most 2**19 scores or 32 users (2**26 scores on a CUDA device), so users x items never exists.
    """
    num_embeddings, device = len(item_embeddings), answers.device
    size = _users_per_chunk(num_embeddings, device)
    is_finite = _is_finite(queries, item_embeddings)
    ranks = torch.empty_like(answers)
    for first in range(0, len(answers), size):
        wanted = answers[first : first + size, None]
        scores = queries[first : first + size] @ item_embeddings.T
        if not is_finite and bool(scores.isnan().any()):
            raise InvalidScoresError("a score is NaN; the model has diverged")
        own = scores.gather(1, wanted)
        scores[:, 0] = -torch.inf
        if seen is not None:
            offsets = seen[1][first : first + size + 1]
            rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
            places = rows * num_embeddings + seen[0][offsets[0] : offsets[-1]]
            scores.view(-1)[torch.from_numpy(places).to(device)] = -torch.inf
        left = scores.gather(1, wanted) == own
        ranks[first : first + size] = torch.where(left, _count(scores, own), num_embeddings)[:, 0]
    return ranks


def _users_per_chunk(num_embeddings: int, device: torch.device) -> int:
    if device.type == "cpu":
        return max(SCORES_PER_CHUNK // num_embeddings, MIN_USERS_PER_CHUNK)
    return max(SCORES_PER_LAUNCH // num_embeddings, 1)


def _is_finite(queries: Tensor, item_embeddings: Tensor) -> bool:
    """Whether no score can overflow: a bound that costs less than checking every score."""
    largest = [torch.stack(each.aminmax()).abs().amax() for each in (queries, item_embeddings)]
    bound = queries.shape[1] * largest[0].double() * largest[1].double()
    return bool(bound < torch.finfo(queries.dtype).max)


def _count(scores: Tensor, own: Tensor) -> Tensor:
    """Count the scores of each row that are at least its own, itself included; (num_rows, 1)."""
    if scores.shape[1] >= 1 << 24:  # float32 cannot count further in steps of 1
        return (scores >= own).sum(1, keepdim=True)
    return torch.ge(scores, own, out=scores).sum(1, keepdim=True).long()
