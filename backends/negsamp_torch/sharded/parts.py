"""The scores of the blocks that a rank draws from, cut ones moved to where they begin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from negsamp.scores import Scorer
from negsamp_torch.rows import Excluded, Rows
from negsamp_torch.scores import BLOCK, CalledScores, Scores, SharedScores, Table
from negsamp_torch.sharded.columns import Lines
from negsamp_torch.sharded.exchange import Exchange
from negsamp_torch.sharded.pieces import KnownScores, LengthenedScores

__all__ = ["Part", "part_of_callable", "part_of_own", "part_of_table", "table_of"]


@dataclass(frozen=True)
class Part:
    """What a rank draws from.

    Attributes
    ----------
    scores : Scores
        Of whole blocks.
    first : int64, shape (num_rows,)
        Which column of the draw the first of these is.
    """

    scores: Scores
    first: Tensor

    def excluded(self, excluded: Excluded) -> Excluded:
        """Return what is excluded of these columns."""
        width, rows = max(self.scores.width, 1), excluded.rows
        places = excluded.places - self.first[rows]
        inside = (places >= 0) & (places < self.scores.width)
        return Excluded.of_pairs(rows[inside], places[inside], len(self.first), width)


def table_of(
    exchange: Exchange, items: Tensor, lines: Lines, places: Tensor | None
) -> tuple[Table, Tensor]:
    """Return the embeddings of the columns that this rank draws from, and the first of these.

    Of a block that is cut, the embeddings move: fewer than 128 lines a rank.
    """
    columns = lines.columns(places)
    begin, end, first = (int(each) for each in (columns.begin, columns.end, columns.first))
    chosen = torch.arange(begin, end, device=items.device) if places is None else places[begin:end]
    own = items[lines.own(chosen)].float()
    heads = own.new_zeros((1, BLOCK - 1, own.shape[1]))
    count = int(columns.head(lines.rank))
    heads[0, :count] = own[:count]
    tail = columns.tails(exchange, heads)[0, : int(columns.needed)]
    table = torch.cat([own[first - begin :], tail])
    norms = torch.linalg.vector_norm(table, dim=1)
    return Table(table, torch.cat([norms, norms.new_zeros(1)]).amax()), columns.first


def part_of_callable(
    exchange: Exchange, score: Scorer, rows: Rows, lines: Lines, places: Tensor | None
) -> Part:
    """Ask a callable for the columns that this rank has; of a block that is cut, scores move."""
    columns, catalogue = lines.columns(places), lines.catalogue
    begin, end, first = (int(each) for each in (columns.begin, columns.end, columns.first))
    device = rows.numbers.device
    chosen = torch.arange(begin, end, device=device) if places is None else places[begin:end]
    num_targets = torch.Size(rows.shape).numel()
    every = CalledScores(score, catalogue.start + chosen, rows.numbers, num_targets)
    heads = torch.zeros((len(rows), BLOCK - 1), device=device)
    if count := int(columns.head(lines.rank)):
        every.tile(0, count, heads[:, :count])
    tail = columns.tails(exchange, heads)[:, : int(columns.needed)]
    own = CalledScores(score, every.item_ids[first - begin :], rows.numbers, num_targets)
    return Part(LengthenedScores(own, tail), columns.first.expand(len(rows)))


def part_of_own(
    exchange: Exchange, queries: Tensor, items: Tensor, lines: Lines, places: Tensor, tile: int
) -> Part:
    """Score each row's own candidates, (rows, count); of a block that is cut, scores move.

    The candidates that this rank has stand one after the other in each row, but begin and end
    elsewhere in each.
    """
    columns = lines.columns(places)

    def score(begin: Tensor, end: Tensor, width: int) -> Tensor:
        """Return the scores of `width` columns from `begin` on, -inf from `end` on."""
        wanted = begin[:, None] + torch.arange(width, device=places.device)
        scores = queries.new_full(wanted.shape, -torch.inf)
        for start in range(0, width, tile):
            part = wanted[:, start : start + tile]
            row, slot = (part < end[:, None]).nonzero(as_tuple=True)
            line = lines.own(places[row, part[row, slot]])
            products = (items[line].float() * queries[row]).sum(-1)
            scores[row, start + slot] = products
        return scores

    heads = score(columns.begin, columns.begin + columns.head(lines.rank), BLOCK - 1)
    tails = columns.tails(exchange, heads)
    width = int((columns.last - columns.first).amax())
    scores = score(columns.first, columns.end, width)
    slots = torch.arange(BLOCK - 1, device=places.device)
    row, slot = (slots < columns.needed[:, None]).nonzero(as_tuple=True)
    scores[row, (columns.end - columns.first)[row] + slot] = tails[row, slot]
    return Part(KnownScores(scores), columns.first)


def part_of_table(queries: Tensor, table: Table, first: Tensor) -> Part:
    """Multiply with the embeddings that :func:`table_of` brought here."""
    return Part(SharedScores(queries, table), first.expand(len(queries)))
