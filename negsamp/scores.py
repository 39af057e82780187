"""Scores: how a sampler asks a model to score items."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

__all__ = ["DotProduct", "Scorer"]


@runtime_checkable
class Scorer(Protocol):
    """A callable that scores items for all rows of a call.

    Within one call of ``sample`` a scorer must return the same score for the same item every time:
    all items are scored to pick a block of the catalogue, and those of the block again to pick one
    of them. A score that is NaN or infinite only when asked for again raises InvalidScoresError;
    one that is merely another bends the law unnoticed. No gradient flows through sampling.

    Examples
    --------
    >>> import numpy as np
    >>> from negsamp import GenNi
    >>> queries, embeddings, bias = np.ones((2, 3)), np.eye(5, 3), np.arange(5.0)
    >>> def score(item_ids):
    ...     return queries @ embeddings[item_ids].T + bias[item_ids]
    >>> GenNi(5, num_negatives=2).sample(np.array([0, 4]), score=score).item_ids.shape
    (2, 2)
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
            One row per target in C order, masked targets included. float16, bfloat16, float64 and
            integers are converted to float32. ``-inf`` means that the row never draws the item.
        """
        ...


@final
@dataclass(frozen=True, eq=False)
class DotProduct:
    """Score items by dot products, ``s(row, i) = queries[row] @ items[i]``: the fast path.

    Backends multiply tile by tile and never build the whole score matrix.

    Parameters
    ----------
    queries : float, shape targets.shape + (dim,)
        One query per target: float32, float16, bfloat16, or float64, which is read as float32.
    items : float, shape (num_embeddings, dim)
        Item embeddings: row i is that of item id i, for every id of the catalogue.

    Notes
    -----
    To add an item bias, append it to the items as a column, and a column of ones to the queries.
    To apply a temperature, divide the queries by it, or set alpha to its inverse.

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
        if tensorflow is not None and tensorflow.is_tensor(self.queries):  # has no index arrays
            queries = tensorflow.reshape(self.queries, (-1, self.queries.shape[-1]))
            items = tensorflow.gather(self.items, item_ids)
            return tensorflow.matmul(queries, items, transpose_b=True)
        queries = self.queries.reshape(-1, self.queries.shape[-1])
        return queries @ self.items[item_ids].T
