"""The four objectives of S3-Rec, on a batch of samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from negsamp import DotProduct, Sampler
from negsamp_models.datasets import Dataset, DatasetError, ItemAttributes
from negsamp_models.datasets.sequences import Int64Array
from negsamp_models.s3rec.inputs import Inputs
from negsamp_models.s3rec.losses import attribute_loss, preference_loss
from negsamp_models.s3rec.model import S3Rec
from negsamp_models.s3rec.samples import Samples
from negsamp_models.training.stopwatch import Stopwatch

__all__ = ["Objectives", "distinct_attributes"]


@dataclass
class Objectives:
    """Four losses, each a sum over the batch.

    ===================== ============================== ==========================================
    objective             rows                           loss
    ===================== ============================== ==========================================
    associated_attributes items that are not masked      `attribute_loss` of their attributes
    masked_items          masked items                   `preference_loss` of each over the
                                                         sampler's negative
    masked_attributes     masked items                   `attribute_loss` of their attributes
    segments              prefixes of two items or more  `preference_loss` of the segment over
                                                         the impostor, in its context
    ===================== ============================== ==========================================

    Parameters
    ----------
    model : S3Rec
    attributes : ItemAttributes
        Without duplicates within an item, see `distinct_attributes`.
    sampler : Sampler
        Draws one negative for each masked item; its users are the prefixes.

    Attributes
    ----------
    stopwatch : Stopwatch
        Times the sampler.
    """

    model: S3Rec
    attributes: ItemAttributes
    sampler: Sampler

    def __post_init__(self) -> None:
        self.stopwatch = Stopwatch(self.model.attributes.weight.device)

    def losses(self, samples: Samples, inputs: Inputs) -> list[Tensor]:
        """Compute the losses in the order of the table.

        Parameters
        ----------
        samples : Samples
        inputs : Inputs
            Made from the samples, on the device of the model.

        Returns
        -------
        list of zero-dimensional float tensors
            In nats.
        """
        model = self.model
        states, last_states = model(inputs.whole, inputs.ends)
        ends = torch.cat([states, last_states])
        masked, unmasked = np.flatnonzero(samples.masked), np.flatnonzero(~samples.masked)
        masked_states, unmasked_states = (
            states.index_select(0, inputs.tokens[self._tensor(places)])
            for places in (masked, unmasked)
        )
        items = samples.prefixes.item_ids
        contexts = model.segments(ends.index_select(0, inputs.contexts))
        return [
            self._attributes(model.associated_attributes(unmasked_states), items[unmasked]),
            self._items(model.masked_items(masked_states), items[masked], samples),
            self._attributes(model.masked_attributes(masked_states), items[masked]),
            preference_loss(
                (contexts * ends.index_select(0, inputs.segments)).sum(-1),
                (contexts * ends.index_select(0, inputs.impostors)).sum(-1),
            ),
        ]

    def _attributes(self, projected: Tensor, items: Int64Array) -> Tensor:
        known = self.attributes
        counts = known.offsets[items + 1] - known.offsets[items]
        rows = np.repeat(np.arange(len(items)), counts)
        first = known.offsets[items] - np.cumsum(counts) + counts
        columns = known.attribute_ids[np.repeat(first, counts) + np.arange(len(rows))] - 1
        embeddings = self.model.attributes.weight
        return attribute_loss(projected, embeddings, self._tensor(rows), self._tensor(columns))

    def _items(self, projected: Tensor, items: Int64Array, samples: Samples) -> Tensor:
        embeddings = self.model.encoder.item_embeddings
        positives = self._tensor(items)
        owners = np.repeat(samples.numbers, samples.prefixes.lengths)[samples.masked]
        score, users = DotProduct(projected, embeddings), self._tensor(owners)
        with self.stopwatch.running():
            negatives = self.sampler.sample(positives, score=score, users=users)
        pairs = torch.stack([positives, negatives.item_ids[:, 0]])
        scores = (projected * functional.embedding(pairs, embeddings)).sum(-1)
        return preference_loss(scores[0], scores[1])

    def _tensor(self, values: Int64Array) -> Tensor:
        return torch.from_numpy(values).to(self.model.attributes.weight.device)


def distinct_attributes(dataset: Dataset) -> ItemAttributes:
    """Return the attributes of each item without duplicates.

    Raises
    ------
    DatasetError
        If the data set has none.
    """
    known = dataset.attributes
    if known is None or not known.num_attributes:
        raise DatasetError(
            f"{dataset.name} has no attributes, which S3-Rec is pre-trained on: put the file "
            f"{dataset.name}_item2attributes.json beside {dataset.name}.txt, a JSON object from "
            "item id to the list of its attribute ids"
        )
    owners: Any = np.repeat(np.arange(len(known.offsets) - 1), np.diff(known.offsets))
    pairs = np.unique(np.stack([owners, known.attribute_ids]), axis=1)
    counts = np.bincount(pairs[0], minlength=known.num_items + 1)
    return ItemAttributes(pairs[1], np.concatenate(([0], np.cumsum(counts))))
