"""Hit rate and NDCG over the whole catalogue, by counting and never sorting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from negsamp import InvalidScoresError

__all__ = ["CUTOFFS", "Metrics", "rank_answers"]

CUTOFFS = (5, 10, 20)
SCORES_PER_CHUNK = 1 << 22


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
    def of_ranks(cls, ranks: Tensor, cutoffs: Sequence[int] = CUTOFFS) -> Metrics:
        """Compute from ranks, int64 of shape (num_users,), 1 being the best."""
        gains = 1.0 / torch.log2(1.0 + ranks.double())
        within = {k: ranks <= k for k in cutoffs}
        return cls(
            hit_rate={k: float(hit.double().mean()) for k, hit in within.items()},
            ndcg={k: float((gains * hit).mean()) for k, hit in within.items()},
        )

    def as_percent(self) -> dict[str, float]:
        """Return HR@k and NDCG@k in percent, as the paper prints them."""
        return {
            f"{name}@{k}": 100.0 * value
            for name, values in (("HR", self.hit_rate), ("NDCG", self.ndcg))
            for k, value in values.items()
        }


@torch.no_grad()
def rank_answers(
    queries: Tensor,
    item_embeddings: Tensor,
    answers: Tensor,
    seen: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None,
) -> Tensor:
    """Rank each user's answer among all items.

    The rank is 1 + the number of other items whose score is at least the answer's: ties count
    against the model, so that one that scores everything alike earns nothing. Items in `seen` are
    left out. An answer that is itself among the seen can then not be recommended: its rank is
    num_items + 1, a miss at every cutoff.

    Parameters
    ----------
    queries : float, shape (num_users, dim)
        On the device of the embeddings.
    item_embeddings : float, shape (num_items + 1, dim)
        By item id; row 0 is padding and no item.
    answers : int64, shape (num_users,)
        Item ids.
    seen : (item_ids, offsets), optional
        Compressed rows, one a user, of the items to leave out.

    Returns
    -------
    int64, shape (num_users,)

    Raises
    ------
    InvalidScoresError
        If a score is NaN.

    Notes
    -----
    One matrix product and one comparison a score. Users are worked off in chunks of at most
    2**22 scores, so users x items never exists.
    """
    num_embeddings, device = len(item_embeddings), answers.device
    size = max(SCORES_PER_CHUNK // num_embeddings, 1)
    ranks = torch.empty_like(answers)
    for first in range(0, len(answers), size):
        wanted = answers[first : first + size, None]
        scores = queries[first : first + size] @ item_embeddings.T
        if bool(scores.isnan().any()):
            raise InvalidScoresError(
                f"a score of users {first} to {first + len(wanted) - 1} is NaN; the model has "
                "diverged"
            )
        own = scores.gather(1, wanted)
        scores[:, 0] = -torch.inf
        if seen is not None:
            offsets = seen[1][first : first + size + 1]
            rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
            places = rows * num_embeddings + seen[0][offsets[0] : offsets[-1]]
            scores.view(-1)[torch.from_numpy(places).to(device)] = -torch.inf
        left = scores.gather(1, wanted) == own
        rank = (scores >= own).sum(1)
        ranks[first : first + size] = torch.where(left[:, 0], rank, num_embeddings)
    return ranks
