"""The encoder's input for a batch: packed sequences, duplicates encoded once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from negsamp_models.datasets import Sequences
from negsamp_models.datasets.packing import PackedBatch, pack
from negsamp_models.datasets.sequences import Int64Array
from negsamp_models.s3rec.samples import Samples

__all__ = ["Inputs"]


@dataclass(frozen=True, eq=False)
class Inputs:
    """The sequences to encode for a batch of samples, and the indices of the states needed.

    Each sample gives one sequence: its items, with the masked ones replaced by the mask token. A
    sample of two items or more gives three more, of which only the last state is needed: the
    context, where the segment is masked; the segment, where everything else is masked; and the
    impostor, the same with items from elsewhere in place of the segment. Equal sequences are
    encoded once.

    Attributes
    ----------
    whole : PackedBatch
        Distinct sequences of which all states are needed; rows have the length of the longest.
    ends : PackedBatch or None
        Distinct others, of which only the last state is needed; None if there are none.
    tokens : int64, shape (num_tokens,)
        For each item of the samples, the index of its state among those of `whole`.
    contexts, segments, impostors : int64, shape (num_samples of two items or more,)
        The index of each sequence's last state among the states of `whole`, followed by the last
        states of `ends`.
    """

    whole: PackedBatch
    ends: PackedBatch | None
    tokens: Tensor
    contexts: Tensor
    segments: Tensor
    impostors: Tensor

    @classmethod
    def of(cls, samples: Samples, mask_id: int, max_length: int) -> Inputs:
        """Build from samples; masked items become ``mask_id``."""
        items, offsets = samples.prefixes.item_ids, samples.prefixes.offsets
        hidden = Sequences(np.where(samples.masked, mask_id, items), offsets)
        long = np.flatnonzero(hidden.lengths > 1)
        others = _joined(
            Sequences(ids, offsets).take(long)
            for ids in (
                np.where(samples.in_segment, mask_id, items),
                np.where(samples.in_segment, items, mask_id),
                np.where(samples.in_segment, samples.impostors, mask_id),
            )
        )
        known: dict[bytes, int] = {}
        firsts, numbers = _distinct(hidden, known)
        whole = hidden.take(firsts)
        within = np.arange(len(items)) - np.repeat(offsets[:-1], hidden.lengths)
        tokens = np.repeat(whole.offsets[numbers], hidden.lengths) + within
        firsts, numbers = _distinct(others, known)
        ends = others.take(firsts)
        rows = np.concatenate([whole.offsets[1:] - 1, whole.num_actions + np.arange(len(ends))])
        contexts, segments, impostors = torch.from_numpy(rows[numbers]).view(3, len(long))
        width = int(hidden.lengths.max())
        return cls(
            pack(whole.item_ids, whole.offsets, max_length, width),
            pack(ends.item_ids, ends.offsets, max_length, width) if len(ends) else None,
            torch.from_numpy(tokens),
            contexts,
            segments,
            impostors,
        )

    def to(self, device: torch.device) -> Inputs:
        """Return the inputs on a device."""
        places = (self.tokens, self.contexts, self.segments, self.impostors)
        return Inputs(
            self.whole.to(device),
            None if self.ends is None else self.ends.to(device),
            *(each.to(device, non_blocking=True) for each in places),
        )


def _distinct(sequences: Sequences, known: dict[bytes, int]) -> tuple[Int64Array, Int64Array]:
    """Assign each distinct sequence a number; return the indices of new ones, and all numbers."""
    firsts, numbers = [], []
    content = sequences.item_ids.tobytes()
    edges = (sequences.offsets * sequences.item_ids.itemsize).tolist()
    for place, (start, stop) in enumerate(pairwise(edges)):
        num_known = len(known)
        number = known.setdefault(content[start:stop], num_known)
        if number == num_known:
            firsts.append(place)
        numbers.append(number)
    return np.array(firsts, np.int64), np.array(numbers, np.int64)


def _joined(sequences: Iterable[Sequences]) -> Sequences:
    parts = list(sequences)
    lengths = np.concatenate([part.lengths for part in parts])
    return Sequences(
        np.concatenate([part.item_ids for part in parts]),
        np.concatenate(([0], np.cumsum(lengths))),
    )
