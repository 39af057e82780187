"""Synthetic sequences with known structure: Zipf popularity, clusters, first-order transitions.

They replace real data in first experiments, demonstrations and tests. They show that a sampler and
a model work together, not how well either performs on real users.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from negsamp import ConfigError
from negsamp_models.datasets.dataset import Dataset, ItemAttributes
from negsamp_models.datasets.sequences import Int64Array, Sequences

__all__ = ["MarkovLaw", "SyntheticParameters", "generate_synthetic"]

_SHORTEST = 5
"""Least number of items per user."""
_CELLS_PER_BLOCK = 1 << 20
"""Entries, users times items, of the arrays for a block of users; bounds memory."""

Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SyntheticParameters:
    """Parameters of the synthetic data; see `generate_synthetic` for the law.

    Parameters
    ----------
    num_users : int
        Number of sequences, at least `num_items`, so that every item can start one.
    num_items : int
        Number of items.
    num_clusters : int
        Number of clusters, of num_items / num_clusters items each (rounded down or up).
    num_successors : int
        Number of successors of an item; less than the size of a cluster.
    mean_length : float
        Mean number of items per user, at least 5. No user has fewer than 5 or more than num_items.
    zipf_exponent : float
        Popularity weight of the item of rank r, r = 1, 2, ...: r ** -zipf_exponent; from 0 to 10.
    follow, stay : float
        Weights of the item's successors and of its cluster; each at least 0, together below 1.
        The rest, 1 - follow - stay, is spread over all items.
    seed : int
        Determines all random choices; at least 0.

    Raises
    ------
    ConfigError
        If a value is outside its range, or a count or the seed is not an integer.
    """

    num_users: int = 3_000
    num_items: int = 1_500
    num_clusters: int = 50
    num_successors: int = 3
    mean_length: float = 9.0
    zipf_exponent: float = 1.0
    follow: float = 0.4
    stay: float = 0.4
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_users", "num_items", "num_clusters", "num_successors", "seed"):
            if not isinstance(getattr(self, name), int):
                raise ConfigError(f"{name} must be an integer; got {getattr(self, name)!r}")
        cluster_size = self.num_items // self.num_clusters if self.num_clusters > 0 else 0
        rules = {
            "num_items": (self.num_items >= _SHORTEST, f"at least {_SHORTEST}"),
            "num_users": (
                self.num_users >= self.num_items,
                f"at least {self.num_items}, num_items",
            ),
            "num_clusters": (
                1 <= self.num_clusters <= self.num_items,
                f"in [1, {self.num_items}], num_items",
            ),
            "num_successors": (
                1 <= self.num_successors < cluster_size,
                f"in [1, {cluster_size - 1}], below the {cluster_size} items of a cluster",
            ),
            "mean_length": (
                _SHORTEST <= self.mean_length < math.inf,
                f"a finite number, at least {_SHORTEST}",
            ),
            "zipf_exponent": (0 <= self.zipf_exponent <= 10, "in [0, 10]"),
            "follow": (0 <= self.follow < 1, "in [0, 1)"),
            "stay": (0 <= self.stay < 1 - self.follow, f"in [0, {1 - self.follow:g}), 1 - follow"),
            "seed": (self.seed >= 0, "at least 0"),
        }
        for name, (holds, allowed) in rules.items():
            if not holds:
                raise ConfigError(f"{name} must be {allowed}; got {getattr(self, name)!r}")


def generate_synthetic(parameters: SyntheticParameters | None = None) -> Dataset:
    """Generate a synthetic data set, a pure function of its parameters.

    The first items of sequences are spread evenly: each item starts num_users / num_items
    sequences, rounded down or up, so that no item is missing. After item i
    the next item is j with probability proportional to (see `MarkovLaw`) ::

        follow * successor(j | i) + stay * popularity(j | cluster of i)
            + (1 - follow - stay) * popularity(j)

    over the items that the user does not have yet; no user has an item twice. A length is 5 plus a
    geometric variable, at most num_items.

    A cluster is easy to distinguish from the rest, and its items are hard to distinguish from each
    other: the cluster holds most of the mass, but only the order within it determines the few
    likely next items. A negative drawn uniformly from the catalogue is seldom of that cluster, and
    so seldom trains the model on this order. The parameters were set by that reasoning and by the
    shape of review data (mean length 9, popularity of about that slope), not by any result.

    Parameters
    ----------
    parameters : SyntheticParameters, optional
        By default ``SyntheticParameters()``.

    Returns
    -------
    Dataset
        Named "synthetic". All item ids from 1 to num_items occur; their order has no meaning. The
        one attribute of an item is its cluster, from 1.

    Notes
    -----
    Time is proportional to num_users * mean_length * num_items. Beyond the result, memory is some
    tens of megabytes, because users are processed in blocks; the data do not depend on the blocks.
    Only uniform doubles of NumPy's PCG64 are drawn, and inverted here, so that the data do not
    change with NumPy's implementation of distributions.

    Examples
    --------
    >>> parameters = SyntheticParameters(num_users=40, num_items=20, num_clusters=2)
    >>> dataset = generate_synthetic(parameters)
    >>> dataset.num_users, dataset.num_items, int(dataset.sequences.lengths.min())
    (40, 20, 5)
    """
    parameters = SyntheticParameters() if parameters is None else parameters
    random = np.random.Generator(np.random.PCG64(parameters.seed))
    law = MarkovLaw.of(parameters, random)
    starts = _permutation(random, parameters.num_users) % parameters.num_items
    offsets = np.concatenate(([0], np.cumsum(_lengths(parameters, random))))
    uniforms = random.random(int(offsets[-1]))
    items = np.empty(len(uniforms), np.int64)
    block = max(_CELLS_PER_BLOCK // parameters.num_items, 1)
    edges = [*range(0, parameters.num_users, block), parameters.num_users]
    for low, high in pairwise(edges):
        _walk(law, starts[low:high], offsets[low : high + 1], uniforms, items)
    return Dataset(
        name="synthetic",
        sequences=Sequences(items + 1, offsets),
        num_items=parameters.num_items,
        attributes=ItemAttributes(
            law.clusters + 1, np.maximum(np.arange(parameters.num_items + 2) - 1, 0)
        ),
        description=(
            f"Made up: Zipf popularity, {parameters.num_clusters} clusters, first-order law, "
            f"seed {parameters.seed}; not data of real users."
        ),
    )


@dataclass(frozen=True, eq=False)
class MarkovLaw:
    """The law of the next item given the current one. Items count from 0 here: id - 1.

    Each cluster is a ring in a random order. The successors of an item are the next
    num_successors on its ring, the k-th with probability proportional to 1 / k. Thus every item
    has as many predecessors as successors, and neighbours on the ring share most successors.

    Attributes
    ----------
    popularity : float64, shape (num_items,)
        popularity(j); sums to 1.
    clusters : int64, shape (num_items,)
        The cluster of each item, from 0.
    successors : int64, shape (num_items, num_successors)
        The successors of each item, the likeliest first.
    follow, stay : float
        The weights of `SyntheticParameters`.
    """

    popularity: Float64Array
    clusters: Int64Array
    successors: Int64Array
    follow: float
    stay: float

    @classmethod
    def of(cls, parameters: SyntheticParameters, random: np.random.Generator) -> MarkovLaw:
        """Draw popularity ranks, clusters and rings.

        Parameters
        ----------
        parameters : SyntheticParameters
            Sizes, exponent and weights.
        random : numpy.random.Generator
            Two doubles per item are drawn from it.

        Returns
        -------
        MarkovLaw
        """
        num_items, num_clusters = parameters.num_items, parameters.num_clusters
        ranks = _permutation(random, num_items) + 1.0
        weights = ranks**-parameters.zipf_exponent
        places = _permutation(random, num_items)
        item_at = np.argsort(places)
        clusters, positions = places % num_clusters, places // num_clusters
        ring_sizes = np.bincount(clusters)[clusters]
        steps = np.arange(1, parameters.num_successors + 1)
        ahead = (positions[:, None] + steps) % ring_sizes[:, None]
        return cls(
            popularity=weights / weights.sum(),
            clusters=clusters,
            successors=item_at[clusters[:, None] + num_clusters * ahead],
            follow=parameters.follow,
            stay=parameters.stay,
        )

    def probabilities(self, items: Int64Array) -> Float64Array:
        """Return the law of the next item before the user's own items are excluded.

        Parameters
        ----------
        items : int64, shape (rows,)
            Current items, from 0.

        Returns
        -------
        float64, shape (rows, num_items)
            Each row sums to 1; every entry is positive.
        """
        same_cluster = self.clusters[items][:, None] == self.clusters
        cluster_mass = np.bincount(self.clusters, weights=self.popularity)[self.clusters[items]]
        scale = (1 - self.follow - self.stay) + same_cluster * (self.stay / cluster_mass)[:, None]
        law: Float64Array = scale * self.popularity
        shares = 1.0 / np.arange(1, self.successors.shape[1] + 1)
        rows = np.arange(len(items))[:, None]
        law[rows, self.successors[items]] += self.follow * shares / shares.sum()
        return law


def _permutation(random: np.random.Generator, size: int) -> Int64Array:
    return np.argsort(random.random(size), kind="stable")


def _lengths(parameters: SyntheticParameters, random: np.random.Generator) -> Int64Array:
    """Draw 5 plus a geometric variable with the remaining mean, by inversion."""
    uniforms = random.random(parameters.num_users)
    mean = parameters.mean_length - _SHORTEST
    extra = np.floor(np.log1p(-uniforms) / -math.log1p(1 / mean)) if mean else 0 * uniforms
    return np.minimum(_SHORTEST + extra, parameters.num_items).astype(np.int64)


def _walk(
    law: MarkovLaw,
    starts: Int64Array,
    offsets: Int64Array,
    uniforms: Float64Array,
    items: Int64Array,
) -> None:
    """Generate the items of a block of users, one position of all users at a time."""
    items[offsets[:-1]] = starts
    unseen = np.ones((len(starts), len(law.popularity)), dtype=bool)
    unseen[np.arange(len(starts)), starts] = False
    lengths = np.diff(offsets)
    for step in range(1, int(lengths.max())):
        users = np.flatnonzero(lengths > step)
        places = offsets[users] + step
        mass = np.cumsum(law.probabilities(items[places - 1]) * unseen[users], axis=1)
        total = mass[:, -1]
        aim = np.minimum(uniforms[places] * total, np.nextafter(total, 0))
        items[places] = np.argmax(mass > aim[:, None], axis=1)
        unseen[users, items[places]] = False
