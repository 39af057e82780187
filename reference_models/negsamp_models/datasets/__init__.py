"""Data sets for sequence models: the paper's four, files of your own, and a synthetic one.

`load_dataset` takes a name and returns a `Dataset`: one sequence of item ids per user, in time
order, with ids from 1; 0 is padding. `LeaveOneOut` cuts it into training, validation and test, and
`negsamp_models.datasets.packing` lays sequences out in batches.
"""

from __future__ import annotations

from negsamp_models.datasets.actions import Actions, NamedDataset, dataset_of, read_actions
from negsamp_models.datasets.dataset import (
    MINIMUM_LENGTH,
    Dataset,
    DatasetError,
    ItemAttributes,
    Statistics,
)
from negsamp_models.datasets.files import read_attributes, read_dataset, read_sequences
from negsamp_models.datasets.sequences import Sequences
from negsamp_models.datasets.sources import DATASETS, PublishedDataset, load_dataset
from negsamp_models.datasets.splits import Evaluation, LeaveOneOut, Training
from negsamp_models.datasets.synthetic import MarkovLaw, SyntheticParameters, generate_synthetic

__all__ = [
    "DATASETS",
    "MINIMUM_LENGTH",
    "Actions",
    "Dataset",
    "DatasetError",
    "Evaluation",
    "ItemAttributes",
    "LeaveOneOut",
    "MarkovLaw",
    "NamedDataset",
    "PublishedDataset",
    "Sequences",
    "Statistics",
    "SyntheticParameters",
    "Training",
    "dataset_of",
    "generate_synthetic",
    "load_dataset",
    "read_actions",
    "read_attributes",
    "read_dataset",
    "read_sequences",
]
