"""A call over shards: compare arguments, gather rows if split, draw chunk by chunk."""

from __future__ import annotations

import torch
from torch import Tensor

from negsamp.backend import Candidates
from negsamp.stream import Stream
from negsamp_torch.by_weight import draw as draw_by_weight
from negsamp_torch.candidates import one_for_all_rows, one_for_each_row
from negsamp_torch.request import Request
from negsamp_torch.rows import Rows
from negsamp_torch.sharded.agreement import gather_rows
from negsamp_torch.sharded.columns import Columns
from negsamp_torch.sharded.dot_product import ShardedDotProduct
from negsamp_torch.sharded.draws import abort_draw, draw
from negsamp_torch.sharded.scorer import ShardedScorer
from negsamp_torch.sharded.slices import CalledSlice, Slice, TableSlice

__all__ = ["by_score"]


def by_score(
    request: Request,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    score: ShardedDotProduct | ShardedScorer,
    alpha: float,
    items: range,
    candidates: Candidates | None,
    rows_per_chunk: int,
    scores_per_tile: int,
) -> tuple[Rows, Tensor, Tensor]:
    """Return this rank's rows, and their places in the catalogue and log-probabilities.

    With alpha = 0 no score is read: the draws are those of :class:`negsamp.Uniform`. A callable
    scores all rows at once, which are then one chunk.
    """
    exchange, rows, queries, bounds = score.agree(
        request, stream, num_negatives, replacement, alpha, items, candidates
    )
    device = rows.numbers.device
    everyone, own = rows, slice(0, len(rows))
    if score.split:
        everyone, queries, own = gather_rows(exchange, rows, queries)
    if alpha == 0:
        drawn, log_q = draw_by_weight(everyone, stream, num_negatives, replacement, None)
        score.bytes_received += exchange.bytes_received
        return rows, drawn[own], log_q[own]
    cuts = torch.tensor(bounds, device=device).clamp(items.start, items.stop) - items.start
    held: Slice | None = None
    shared: Tensor | None = None
    places = [torch.zeros((0, num_negatives), dtype=torch.int64, device=device)]
    logs = [places[0].double()]
    size = rows_per_chunk if isinstance(score, ShardedDotProduct) else len(everyone)
    first_row = 0
    for chunk in everyone.chunks(size):
        try:
            if held is None:
                if candidates is not None and not candidates.per_row:
                    shared = one_for_all_rows(stream, len(items), candidates.count, device)
                if isinstance(score, ShardedScorer):
                    held = CalledSlice(score.score, items.start)
                else:
                    lines, first_item = score.local_items, bounds[exchange.rank]
                    held = TableSlice.of(queries, lines, first_item, items, shared)
            chosen = shared
            if candidates is not None and candidates.per_row:
                chosen = one_for_each_row(stream, len(items), candidates.count, chunk.numbers)
            excluded = chunk.excluded if chosen is None else chunk.excluded.among(chosen)
            columns = Columns.of(cuts, chosen, exchange.rank)
            scores = held.scores(first_row, chunk, columns, chosen)
        except Exception as failure:  # noqa: BLE001  (raised once the other ranks are told)
            abort_draw(exchange, chunk, failure)
        drawn, log_q = draw(
            exchange,
            chunk,
            excluded,
            scores,
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
    return rows, torch.cat(places)[own], torch.cat(logs)[own]
