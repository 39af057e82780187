"""Inputs of a draw, generated from fixed seeds: interactions, queries and embeddings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from benchmarks.settings import Draw
from negsamp import Interactions

__all__ = ["Problem"]

NUM_USERS = 22_363
"""Number of users of the log, that of Amazon Beauty."""
FEWEST, MEAN = 5, 8.9
"""Least and mean number of items per user, as on Amazon Beauty."""
POPULARITY_EXPONENT = 3.0
"""Ids are V * u ** 3 for uniform u: the item of popularity rank r has weight r ** (-2 / 3)."""
SCRAMBLE = 2_654_435_761
"""Multiplier of the hash that maps popularity ranks to ids, so that popular ids are not low."""
SCORE_DEVIATION = 2.0
"""Standard deviation of scores."""

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Problem:
    """A batch of targets drawn at random from a log, with scores of standard deviation 2.

    Item ids start at 1; row 0 of the embeddings is padding, as in models.

    Attributes
    ----------
    setting : Draw
        Its size and kind.
    interactions : Interactions
        The log: 22,363 users with about 9 items each.
    users, targets : int64, shape (rows,)
        A random interaction of the log for each row.
    queries : float32, shape (rows, dim)
    items : float32, shape (num_items + 1, dim)
        Empty if the law has no scores.
    """

    setting: Draw
    interactions: Interactions
    users: Integers
    targets: Integers
    queries: Floats
    items: Floats

    @classmethod
    def of(cls, setting: Draw) -> Problem:
        """Generate the inputs of a setting; they are a function of the setting."""
        interactions = _log(setting.num_items)
        places = np.random.default_rng(1).integers(interactions.num_interactions, size=setting.rows)
        scored = setting.law == "genni"
        return cls(
            setting,
            interactions,
            users=np.searchsorted(interactions.offsets, places, side="right") - 1,
            targets=interactions.item_ids[places].astype(np.int64),
            queries=_normal(2, setting.rows, setting.dim if scored else 0),
            items=_normal(3, setting.num_items + 1, setting.dim if scored else 0),
        )

    def head(self, rows: int) -> Problem:
        """Return the problem restricted to its first rows."""
        return replace(
            self,
            setting=replace(self.setting, rows=rows),
            users=self.users[:rows],
            targets=self.targets[:rows],
            queries=self.queries[:rows],
        )

    @property
    def catalogue(self) -> range:
        """The ids that may be drawn."""
        return range(1, self.setting.num_items + 1)

    @cached_property
    def counts(self) -> Integers:
        """How often each id occurs in the log, shape (num_items + 1,)."""
        return np.bincount(self.interactions.item_ids, minlength=self.setting.num_items + 1)

    @cached_property
    def excluded(self) -> tuple[Integers, Integers]:
        """Rows and item ids of all excluded pairs, ordered by row and id."""
        rows = np.arange(len(self.targets))
        if self.setting.exclude == "target":
            return rows, self.targets
        begin = self.interactions.offsets[self.users]
        lengths = self.interactions.offsets[self.users + 1] - begin
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        item_ids = self.interactions.item_ids[np.repeat(begin, lengths) + within]
        return np.repeat(rows, lengths), item_ids.astype(np.int64)


@lru_cache(maxsize=8)
def _log(num_items: int) -> Interactions:
    """Return a log with a skewed popularity that is not correlated with item ids."""
    random = np.random.default_rng(0)
    lengths = FEWEST - 1 + random.geometric(1 / (MEAN - FEWEST + 1), size=NUM_USERS)
    lengths = np.minimum(lengths, num_items // 4)
    ranks = (num_items * random.random(lengths.sum()) ** POPULARITY_EXPONENT).astype(np.int64)
    item_ids = ranks * SCRAMBLE % num_items + 1
    return Interactions.from_pairs(np.repeat(np.arange(NUM_USERS), lengths), item_ids, NUM_USERS)


@lru_cache(maxsize=4)
def _normal(seed: int, rows: int, dim: int) -> Floats:
    """Return normal numbers, generated in place, so that no temporary adds to the memory peak.

    The dot product of rows of two such arrays has standard deviation SCORE_DEVIATION.
    """
    values = np.empty((rows, dim), dtype=np.float32)
    np.random.default_rng(seed).standard_normal(out=values, dtype=np.float32)
    values *= np.float32((SCORE_DEVIATION / max(dim, 1) ** 0.5) ** 0.5)
    return values
