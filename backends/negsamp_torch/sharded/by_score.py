"""A whole call over shards: agree, put rows together, draw chunk by chunk."""

from __future__ import annotations

import torch
from torch import Tensor

from negsamp.stream import Stream
from negsamp_torch.by_weight import draw as draw_by_weight
from negsamp_torch.rows import Rows
from negsamp_torch.sharded.agreement import agree, gather_rows
from negsamp_torch.sharded.draws import draw
from negsamp_torch.sharded.exchange import Exchange
from negsamp_torch.sharded.score import ShardedDotProduct
from negsamp_torch.sharded.shards import shard_of

__all__ = ["by_score"]


def by_score(
    rows: Rows,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    score: ShardedDotProduct,
    alpha: float,
    items: range,
    candidates: Tensor | None,
    rows_per_chunk: int,
    scores_per_tile: int,
) -> tuple[Tensor, Tensor]:
    """Return places in the catalogue and log-probabilities of this rank's rows.

    `candidates` are the pre-selected places, those of all ranks. With alpha = 0 no score is looked
    at: the draws are those of :class:`negsamp.Uniform`.
    """
    exchange = Exchange(score.process_group)
    count = len(items) if candidates is None else len(candidates)
    agree(exchange, rows, stream, num_negatives, replacement, score, alpha, items, count)
    queries = score.queries.detach().flatten(0, -2)[rows.numbers].float()
    everyone, own = rows, slice(0, len(rows))
    if score.split:
        everyone, queries, own = gather_rows(exchange, rows, queries)
    if alpha == 0:
        score.bytes_received += exchange.bytes_received
        drawn, log_q = draw_by_weight(everyone, stream, num_negatives, replacement, None)
        return drawn[own], log_q[own]
    shard = shard_of(exchange, score.local_items, items, candidates)
    places = [torch.zeros((0, num_negatives), dtype=torch.int64, device=rows.numbers.device)]
    logs = [places[0].double()]
    starts = range(0, len(everyone), rows_per_chunk)
    for start, chunk in zip(starts, everyone.chunks(rows_per_chunk), strict=True):
        columns, log_q = draw(
            exchange,
            chunk,
            chunk.excluded if candidates is None else chunk.excluded.among(candidates),
            queries[start : start + rows_per_chunk],
            shard,
            alpha,
            stream,
            num_negatives,
            replacement,
            count,
            tile=max(scores_per_tile // len(chunk), 1),
        )
        places.append(columns if candidates is None else candidates[columns])
        logs.append(log_q)
    score.bytes_received += exchange.bytes_received
    return torch.cat(places)[own], torch.cat(logs)[own]
