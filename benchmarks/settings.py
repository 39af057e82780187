"""Settings of a measurement: size and kind of a draw, or of an epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any, Literal

__all__ = ["Draw", "Epoch", "Law", "Setting", "setting_from"]

Law = Literal["uniform", "popularity", "genni"]
QUICK_ROWS, QUICK_ITEMS = 128, 3_000
"""Largest sizes in a quick run."""


@dataclass(frozen=True)
class Draw:
    """One call that draws negatives for a batch.

    Attributes
    ----------
    law : {"uniform", "popularity", "genni"}
        Law of the negatives.
    rows, num_items, dim : int
        Targets in the batch, items in the catalogue, and dimension of embeddings (for "genni").
    beta : float
        Fraction of the catalogue that is pre-selected (for "genni").
    num_negatives : int
        Negatives per target.
    exclude : {"target", "interactions"}
        What a row must not draw: its target, or all items of its user.
    """

    law: Law
    rows: int
    num_items: int
    dim: int = 64
    beta: float = 1.0
    num_negatives: int = 1
    exclude: Literal["target", "interactions"] = "target"

    @property
    def num_candidates(self) -> int:
        """Items that are scored: ceil(beta * num_items)."""
        return math.ceil(Fraction(repr(self.beta)) * self.num_items)

    @property
    def score_bytes(self) -> int:
        """Bytes of the float32 matrix of rows x candidates, for contenders that build it."""
        return 4 * self.rows * self.num_candidates

    @property
    def inputs(self) -> tuple[Any, ...]:
        """Key of the inputs: settings with the same key are measured interleaved."""
        return self.law, self.rows, self.num_items, self.dim

    def quick(self) -> Draw:
        """Return a small setting that uses the same code paths."""
        rows, items = min(self.rows, QUICK_ROWS), min(self.num_items, QUICK_ITEMS)
        return replace(self, rows=rows, num_items=items)


@dataclass(frozen=True)
class Epoch:
    """One epoch of training SASRec on packed sequences.

    Attributes
    ----------
    dataset : str
        "synthetic", "tiny" (40 made-up users), or a data set in the folder NEGSAMP_DATA.
    law : {"uniform", "popularity", "genni"}
        Law of the negatives.
    beta : float
        As for :class:`Draw`.
    """

    dataset: str
    law: Law
    beta: float = 1.0

    @property
    def inputs(self) -> tuple[Any, ...]:
        """Key of the inputs."""
        return (self.dataset,)

    def quick(self) -> Epoch:
        """Return the same on a tiny data set."""
        return replace(self, dataset="tiny")


Setting = Draw | Epoch


def setting_from(table: Mapping[str, Any]) -> Setting:
    """Rebuild a setting from a result file: an epoch if it has a data set, else a draw."""
    kind: type[Draw] | type[Epoch] = Epoch if "dataset" in table else Draw
    if unknown := table.keys() - {each.name for each in fields(kind)}:
        raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    return kind(**table)
