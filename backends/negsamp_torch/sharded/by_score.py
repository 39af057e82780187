"""A whole call over shards: agree, put rows together, draw chunk by chunk."""

from __future__ import annotations

import torch
from torch import Tensor

from negsamp import validation
from negsamp.backend import Candidates
from negsamp.stream import Stream
from negsamp_torch.by_weight import draw as draw_by_weight
from negsamp_torch.candidates import one_for_all_rows, one_for_each_row
from negsamp_torch.rows import Rows
from negsamp_torch.sharded.agreement import agree, gather_rows
from negsamp_torch.sharded.columns import Columns
from negsamp_torch.sharded.dot_product import ShardedDotProduct
from negsamp_torch.sharded.draws import draw
from negsamp_torch.sharded.exchange import Exchange
from negsamp_torch.sharded.scorer import ShardedScorer
from negsamp_torch.sharded.slices import CalledSlice, Slice, TableSlice

__all__ = ["by_score"]


def by_score(
    rows: Rows,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    score: ShardedDotProduct | ShardedScorer,
    alpha: float,
    items: range,
    candidates: Candidates | None,
    rows_per_chunk: int,
    scores_per_tile: int,
) -> tuple[Tensor, Tensor]:
    """Return places in the catalogue and log-probabilities of this rank's rows.

    With alpha = 0 no score is looked at: the draws are those of :class:`negsamp.Uniform`. A
    callable answers for all rows at once, which are then one chunk.
    """
    device = rows.numbers.device
    exchange = Exchange(score.process_group, device)
    candidates = candidates if alpha else None
    queries = score.queries_of(rows)
    agree(
        exchange, rows, queries, stream, num_negatives, replacement, score, alpha, items, candidates
    )
    if isinstance(queries, Exception):
        raise queries
    if isinstance(score, ShardedScorer) and candidates is not None and candidates.per_row:
        raise validation.callable_per_row()
    everyone, own = rows, slice(0, len(rows))
    if score.split:
        everyone, queries, own = gather_rows(exchange, rows, queries)
    if alpha == 0:
        drawn, log_q = draw_by_weight(everyone, stream, num_negatives, replacement, None)
        score.bytes_received += exchange.bytes_received
        return drawn[own], log_q[own]
    bounds = score.bounds(exchange, items)
    cuts = torch.tensor(bounds, device=device).clamp(items.start, items.stop) - items.start
    shared = None
    if candidates is not None and not candidates.per_row:
        shared = one_for_all_rows(stream, len(items), candidates.count, device)
    held: Slice
    if isinstance(score, ShardedScorer):
        held = CalledSlice(score.score, items.start)
    else:
        held = TableSlice.of(queries, score.local_items, bounds[exchange.rank], items, shared)
    places = [torch.zeros((0, num_negatives), dtype=torch.int64, device=device)]
    logs = [places[0].double()]
    size = rows_per_chunk if isinstance(score, ShardedDotProduct) else len(everyone)
    first_row = 0
    for chunk in everyone.chunks(size):
        chosen = shared
        if candidates is not None and candidates.per_row:
            chosen = one_for_each_row(stream, len(items), candidates.count, chunk.numbers)
        columns = Columns.of(cuts, chosen, exchange.rank)
        drawn, log_q = draw(
            exchange,
            chunk,
            chunk.excluded if chosen is None else chunk.excluded.among(chosen),
            held.scores(first_row, chunk, columns, chosen),
            columns,
            alpha,
            stream,
            num_negatives,
            replacement,
            tile=max(scores_per_tile // len(chunk), 1),
        )
        if chosen is not None:
            drawn = chosen[drawn] if chosen.ndim == 1 else chosen.gather(1, drawn)
        places.append(drawn)
        logs.append(log_q)
        first_row += len(chunk)
    score.bytes_received += exchange.bytes_received
    return torch.cat(places)[own], torch.cat(logs)[own]
