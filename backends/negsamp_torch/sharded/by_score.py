"""A whole call over shards: agree, put rows together, draw chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from negsamp import validation
from negsamp.backend import Candidates
from negsamp.stream import Stream
from negsamp_torch.by_weight import draw as draw_by_weight
from negsamp_torch.candidates import one_for_all_rows, one_for_each_row
from negsamp_torch.rows import Rows
from negsamp_torch.sharded.agreement import agree, gather_rows
from negsamp_torch.sharded.columns import Lines
from negsamp_torch.sharded.draws import draw
from negsamp_torch.sharded.exchange import Exchange
from negsamp_torch.sharded.parts import (
    Part,
    part_of_callable,
    part_of_own,
    part_of_table,
    table_of,
)
from negsamp_torch.sharded.score import Sharded, ShardedDotProduct, ShardedScorer

__all__ = ["by_score"]


def by_score(
    rows: Rows,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    score: Sharded,
    alpha: float,
    items: range,
    candidates: Candidates | None,
    rows_per_chunk: int,
    scores_per_tile: int,
) -> tuple[Tensor, Tensor]:
    """Return places in the catalogue and log-probabilities of this rank's rows.

    With alpha = 0 no score is looked at: the draws are those of :class:`negsamp.Uniform`.
    """
    exchange = Exchange(score.process_group)
    candidates = candidates if alpha else None
    called = isinstance(score, ShardedScorer)
    if called and candidates is not None and candidates.per_row:
        raise validation.callable_per_row()
    agree(exchange, rows, stream, num_negatives, replacement, score, alpha, items, candidates)
    everyone, own, queries = rows, slice(0, len(rows)), torch.empty(0)
    if isinstance(score, ShardedDotProduct):
        queries = score.queries.detach().flatten(0, -2)[rows.numbers].float()
        if score.split:
            everyone, queries, own = gather_rows(exchange, rows, queries)
    if alpha == 0:
        score.bytes_received += exchange.bytes_received
        drawn, log_q = draw_by_weight(everyone, stream, num_negatives, replacement, None)
        return drawn[own], log_q[own]
    source = _source(exchange, score, everyone, queries, stream, items, candidates, scores_per_tile)
    count = len(items) if candidates is None else candidates.count
    places = [torch.zeros((0, num_negatives), dtype=torch.int64, device=rows.numbers.device)]
    logs = [places[0].double()]
    size = max(len(everyone), 1) if called else rows_per_chunk
    for start, chunk in zip(range(0, len(everyone), size), everyone.chunks(size), strict=True):
        part, chosen = source(chunk, slice(start, start + size))
        columns, log_q = draw(
            exchange,
            chunk,
            chunk.excluded if chosen is None else chunk.excluded.among(chosen),
            part,
            alpha,
            stream,
            num_negatives,
            replacement,
            count,
            tile=max(scores_per_tile // len(chunk), 1),
        )
        if chosen is not None:
            columns = chosen[columns] if chosen.ndim == 1 else chosen.gather(1, columns)
        places.append(columns)
        logs.append(log_q)
    score.bytes_received += exchange.bytes_received
    return torch.cat(places)[own], torch.cat(logs)[own]


def _source(
    exchange: Exchange,
    score: Sharded,
    rows: Rows,
    queries: Tensor,
    stream: Stream,
    items: range,
    candidates: Candidates | None,
    scores_per_tile: int,
) -> Callable[[Rows, slice], tuple[Part, Tensor | None]]:
    """Return what gives, for a chunk of rows, a rank's part, and the candidates of all ranks."""
    device, shared = rows.numbers.device, None
    lines = Lines.of(exchange, score.count, device, items)
    if candidates is not None and not candidates.per_row:
        shared = one_for_all_rows(stream, len(items), candidates.count, device)
    if isinstance(score, ShardedScorer):
        ask = score.score
        return lambda chunk, _: (part_of_callable(exchange, ask, chunk, lines, shared), shared)
    assert isinstance(score, ShardedDotProduct)  # there are two
    table = score.local_items
    if candidates is None or not candidates.per_row:
        moved, first = table_of(exchange, table, lines, shared)
        return lambda _, which: (part_of_table(queries[which], moved, first), shared)
    count, tile = candidates.count, scores_per_tile // max(table.shape[1], 1)

    def own(chunk: Rows, which: slice) -> tuple[Part, Tensor]:
        places = one_for_each_row(stream, len(items), count, chunk.numbers)
        at_once = max(tile // len(chunk), 1)
        return part_of_own(exchange, queries[which], table, lines, places, at_once), places

    return own
