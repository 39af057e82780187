"""All contenders. Peers and TensorFlow are imported only when their work is prepared."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.contenders import (
    bare_draws,
    bare_products,
    epochs,
    implicit_bpr,
    ours,
    pykeen_samplers,
    recbole_sampler,
    tensorflow_graphs,
    tensorflow_matrix,
    torch_matrix,
)
from benchmarks.settings import Setting
from benchmarks.work import Contender

__all__ = ["CONTENDERS", "REFERENCES", "taking_part"]

CONTENDERS: tuple[Contender, ...] = (
    *ours.CONTENDERS,
    *tensorflow_graphs.CONTENDERS,
    *epochs.CONTENDERS,
    *bare_products.CONTENDERS,
    *bare_draws.CONTENDERS,
    *torch_matrix.CONTENDERS,
    *tensorflow_matrix.CONTENDERS,
    *recbole_sampler.CONTENDERS,
    *pykeen_samplers.CONTENDERS,
    *implicit_bpr.CONTENDERS,
)

REFERENCES = {
    "genni": bare_products.PRODUCT,
    "uniform": bare_draws.INTEGERS,
    "popularity": bare_draws.SEARCH,
}
"""The reference of each law, by which times are divided."""


def taking_part(setting: Setting, chosen: Sequence[str] = ()) -> list[Contender]:
    """Return the contenders for a setting, restricted to the chosen names or roles if any."""
    return [
        each
        for each in CONTENDERS
        if each.takes(setting) and (not chosen or each.name in chosen or each.role in chosen)
    ]
