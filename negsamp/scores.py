"""Scores: how a sampler asks a model what it thinks of an item."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

__all__ = ["DotProduct", "Scorer"]


@runtime_checkable
class Scorer(Protocol):
    """Anything that scores items for all rows of a call.

    A scorer must give the same score for the same item each time it is asked within one call of
    ``sample``: items are scored once to find a block of the catalogue, and those of the chosen
    block again to find the item. No gradient flows through sampling.
    """

    def __call__(self, item_ids: Any, /) -> Any:
        """Score items for all rows.

        Parameters
        ----------
        item_ids : int64, shape (num_scored,)
            Distinct ids from the catalogue, in ascending order.

        Returns
        -------
        float or int, shape (targets.size, num_scored)
            One line a target, in C order, masked targets included. float16, bfloat16, float64 and
            integers are read as float32. ``-inf`` means that the row never draws the item.
        """
        ...


@final
@dataclass(frozen=True, eq=False)
class DotProduct:
    """Score items by dot products, ``s(row, i) = queries[row] @ items[i]``: the fast path.

    The score matrix is never built: backends multiply tile by tile.

    Parameters
    ----------
    queries : float, shape targets.shape + (dim,)
        One query a target: float32, float16, bfloat16, or float64 read as float32.
    items : float, shape (num_embeddings, dim)
        Item embeddings, one row an item id; must hold every id of the catalogue.

    Notes
    -----
    A bias of the items is one more column of them, against a column of ones in the queries. A
    temperature divides the queries; or it is one over alpha.

    Examples
    --------
    >>> import numpy as np
    >>> from negsamp import DotProduct
    >>> score = DotProduct(np.eye(2), np.arange(6.0).reshape(3, 2))
    >>> score(np.array([0, 2]))
    array([[0., 4.],
           [1., 5.]])
    """

    queries: Any
    items: Any

    def __init_subclass__(cls) -> None:
        raise TypeError(
            f"{cls.__name__} cannot derive from DotProduct: backends multiply its arrays and never "
            "call it; to score otherwise, write a callable of item ids"
        )

    def __call__(self, item_ids: Any, /) -> Any:
        """Return the scores of `item_ids` for all rows, shape (num_rows, num_scored)."""
        tensorflow = sys.modules.get("tensorflow")
        if tensorflow is not None and tensorflow.is_tensor(self.queries):  # it indexes otherwise
            queries = tensorflow.reshape(self.queries, (-1, self.queries.shape[-1]))
            items = tensorflow.gather(self.items, item_ids)
            return tensorflow.matmul(queries, items, transpose_b=True)
        queries = self.queries.reshape(-1, self.queries.shape[-1])
        return queries @ self.items[item_ids].T
