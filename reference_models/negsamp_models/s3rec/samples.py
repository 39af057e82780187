"""Pre-training samples: prefixes of the training parts, with masked items and segments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from negsamp import Interactions, InvalidInputError, Uniform
from negsamp_models.datasets import LeaveOneOut, Sequences
from negsamp_models.datasets.sequences import Int64Array

__all__ = ["Prefixes", "Samples", "draw_samples"]

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Prefixes:
    """All prefixes of the training part of each user: the only data that pre-training sees.

    Attributes
    ----------
    sequences : Sequences
        The first 1, 2, ..., n items of user 0's training part, then those of user 1, ...; a part of
        more than max_length items is first cut to its last max_length.
    places : int64, shape (num_prefixes,)
        Index in `corpus` at which each prefix starts.
    corpus : int64, shape (num_actions,)
        The training parts of all users, concatenated and uncut.

    Examples
    --------
    >>> from negsamp_models.datasets import Dataset
    >>> dataset = Dataset("tiny", Sequences.from_lists([[1, 2, 3, 4, 5]]), num_items=5)
    >>> prefixes = Prefixes.of(LeaveOneOut.of(dataset, max_length=2))
    >>> [items.tolist() for items in prefixes.sequences], prefixes.places.tolist()
    ([[2], [2, 3]], [1, 1])
    """

    sequences: Sequences
    places: Int64Array
    corpus: Int64Array

    @classmethod
    def of(cls, split: LeaveOneOut) -> Prefixes:
        """Take the prefixes of a split's training part."""
        whole = split.training_part
        lengths = np.minimum(whole.lengths, split.max_length)
        starts = np.repeat(whole.offsets[1:] - lengths, lengths)
        counts = np.arange(len(starts)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 1
        offsets = np.concatenate(([0], np.cumsum(counts)))
        tokens = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], counts)
        return cls(Sequences(whole.item_ids[tokens], offsets), starts, whole.item_ids)

    def __len__(self) -> int:
        return len(self.sequences)

    def interactions(self) -> Interactions:
        """Return the items of each prefix, which must not be drawn as its negatives."""
        owners = np.repeat(np.arange(len(self)), self.sequences.lengths)
        return Interactions.from_pairs(owners, self.sequences.item_ids, len(self))


@dataclass(frozen=True, eq=False)
class Samples:
    """A batch of prefixes, with the items and segments that the objectives mask.

    Attributes
    ----------
    prefixes : Sequences
        The true items.
    numbers : int64, shape (num_samples,)
        The indices of the prefixes.
    masked : bool, shape (num_tokens,)
        Items that are masked and to be predicted, always including the last of each prefix.
    in_segment : bool, shape (num_tokens,)
        The items of the one segment of each prefix; a prefix of one item has none.
    impostors : int64, shape (num_tokens,)
        Items from elsewhere within segments, the true items outside of them.
    """

    prefixes: Sequences
    numbers: Int64Array
    masked: BoolArray
    in_segment: BoolArray
    impostors: Int64Array


def draw_samples(
    prefixes: Prefixes,
    numbers: Int64Array,
    mask_probability: float,
    elsewhere: Uniform,
    random: np.random.Generator,
) -> Samples:
    """Draw masks, segments and impostors for some prefixes.

    An item is masked with `mask_probability`, the last one always. The segment of a prefix of n
    items has m of them, with m uniform in 1 to floor(n / 2), and starts at any of the n - m + 1
    positions with equal probability. Its impostor is the m items from any other position of the
    corpus, with equal probability; the corpus wraps around at its end.

    Parameters
    ----------
    prefixes : Prefixes
    numbers : int64, shape (num_samples,)
        Indices of the prefixes.
    mask_probability : float
        In [0, 1].
    elsewhere : Uniform
        Draws positions of the corpus, so its catalogue is ``range(len(corpus))``.
    random : numpy.random.Generator
        Draws everything else.

    Returns
    -------
    Samples

    Raises
    ------
    InvalidInputError
        If `elsewhere` has another catalogue.

    References
    ----------
    Zhou et al., CIKM 2020, section 4.2; the lengths are those of the authors' code. There,
    impostors are cut from whole sequences, held-out items included.
    """
    if elsewhere.items != range(len(prefixes.corpus)):
        raise InvalidInputError(
            f"elsewhere must draw from range({len(prefixes.corpus)}), the positions of the corpus; "
            f"it draws from {elsewhere.items}"
        )
    chosen = prefixes.sequences.take(numbers)
    lengths, offsets = chosen.lengths, chosen.offsets
    masked = random.random(len(chosen.item_ids)) < mask_probability
    masked[offsets[1:] - 1] = True
    uniforms = random.random((2, len(lengths)))
    sizes = np.where(lengths > 1, 1 + (uniforms[0] * (lengths // 2)).astype(np.int64), 0)
    starts = (uniforms[1] * (lengths - np.maximum(sizes, 1) + 1)).astype(np.int64)
    within = np.arange(len(masked)) - np.repeat(offsets[:-1], lengths)
    first = np.repeat(starts, lengths)
    in_segment = (first <= within) & (within < first + np.repeat(sizes, lengths))
    places = elsewhere.sample(prefixes.places[numbers] + starts).item_ids[:, 0]
    from_start = np.repeat(places, lengths) + within - first
    impostors = prefixes.corpus[from_start % len(prefixes.corpus)]
    return Samples(
        chosen, numbers, masked, in_segment, np.where(in_segment, impostors, chosen.item_ids)
    )
