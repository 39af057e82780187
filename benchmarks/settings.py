"""What one measurement is about: the size and the kind of a draw, or of an epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any, Literal

__all__ = ["Draw", "Epoch", "Law", "Setting", "setting_from"]

Law = Literal["uniform", "popularity", "genni"]
QUICK_ROWS, QUICK_ITEMS = 128, 3_000


@dataclass(frozen=True)
class Draw:
    """One call that draws negatives for a batch.

    Attributes
    ----------
    law : {"uniform", "popularity", "genni"}
        What the negatives are drawn by.
    rows, num_items, dim : int
        Targets of the batch, items of the catalogue, and length of an embedding (for "genni").
    beta : float
        Share of the catalogue that is pre-selected (for "genni").
    num_negatives : int
        Negatives a target.
    exclude : {"target", "interactions"}
        What a row must not draw: its target, or with it all items of its user.
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
        """Bytes of the float32 matrix of rows x candidates, for those who build it."""
        return 4 * self.rows * self.num_candidates

    @property
    def inputs(self) -> tuple[Any, ...]:
        """What the inputs depend on: settings that share it are measured in turn."""
        return self.law, self.rows, self.num_items, self.dim

    def quick(self) -> Draw:
        """Return a small setting that takes the same ways through the code."""
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
        Where the negatives come from.
    beta : float
        As for :class:`Draw`.
    """

    dataset: str
    law: Law
    beta: float = 1.0

    @property
    def inputs(self) -> tuple[Any, ...]:
        """What the inputs depend on."""
        return (self.dataset,)

    def quick(self) -> Epoch:
        """Return the same on next to no data."""
        return replace(self, dataset="tiny")


Setting = Draw | Epoch


def setting_from(table: Mapping[str, Any]) -> Setting:
    """Return the setting whose fields a result file holds: an epoch if it names a data set."""
    kind: type[Draw] | type[Epoch] = Epoch if "dataset" in table else Draw
    if unknown := table.keys() - {each.name for each in fields(kind)}:
        raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    return kind(**table)
