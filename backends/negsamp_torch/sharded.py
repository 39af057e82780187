"""GenNi over a catalogue that is cut into shards, each on a rank of a process group.

The draws are those of one device. Blocks of 128 columns are those of the whole catalogue: the rank
on which a block begins owns it, and is sent the lines of it that lie on later ranks. Each rank goes
over its own blocks; what the ranks exchange for each row is one mass, as its logarithm. From these
all know which rank owns the block that the first word picks, and that rank draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from negsamp import validation
from negsamp.errors import InvalidInputError
from negsamp.stream import NEGATIVES, Stream
from negsamp_torch.by_score import block_masses, exponents_of, log2_sum_exp2, pick
from negsamp_torch.rows import Excluded, Rows
from negsamp_torch.scores import BLOCK, SharedScores, Table

__all__ = ["Exchange", "Shard", "ShardedDotProduct", "agree", "draw", "gather_rows", "shard_of"]


@dataclass(eq=False)
class Exchange:
    """The collectives that a draw takes, and what they brought.

    Attributes
    ----------
    group : ProcessGroup or None
        None is the default group.
    bytes_received : int
        Sum of the sizes of all tensors that this rank was sent by others, as the collectives are
        defined: W - 1 parts of a gathered tensor, and one tensor of a sum.
    """

    group: Any = None
    bytes_received: int = 0

    @property
    def rank(self) -> int:
        """Place of this rank in the group."""
        return dist.get_rank(self.group)

    @property
    def size(self) -> int:
        """Number of ranks, W."""
        return dist.get_world_size(self.group)

    def gather(self, own: Tensor) -> Tensor:
        """Return the tensors of all ranks, all of one shape, in the order of ranks: (W, ...)."""
        parts = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(parts, own.contiguous(), group=self.group)
        self.bytes_received += (self.size - 1) * own.nbytes
        return torch.stack(parts)

    def gather_uneven(self, own: Tensor) -> list[Tensor]:
        """Return the tensors of all ranks, that differ in their first axis."""
        lengths = self.gather(torch.tensor([len(own)], device=own.device))[:, 0].tolist()
        padded = own.new_zeros((max(lengths), *own.shape[1:]))
        padded[: len(own)] = own
        return [part[:n] for part, n in zip(self.gather(padded), lengths, strict=True)]

    def sum(self, own: Tensor) -> Tensor:
        """Return the sum over all ranks."""
        if self.size > 1:
            dist.all_reduce(own, group=self.group)
            self.bytes_received += own.nbytes
        return own


@dataclass(eq=False)
class ShardedDotProduct:
    """Dot products with item embeddings of which each rank holds a contiguous slice.

    Give it as ``score=`` to :class:`negsamp.GenNi` on all ranks of a process group at once, with
    samplers of the same seed, and, up to the rounding of scores, each rank gets the negatives that
    one device would draw from the whole table.

    Parameters
    ----------
    queries : Tensor, shape targets.shape + (dim,)
        One query a target.
    items : Tensor, shape (num_lines, dim), or DTensor
        This rank's lines of the table: the slices of ranks 0, 1, ... stand one after the other and
        make up the lines 0, 1, ..., which are the item ids. Slices may differ in length and be
        empty. Of a DTensor, that must be sharded on its first axis alone, the local part is taken.
    group : ProcessGroup, optional
        The ranks; by default that of the DTensor's mesh, else the default group.
    split : bool
        False: all ranks call with the same rows. True: each rank calls with rows of its own, as
        many as it has, and gets negatives for these, as if one device had been given the rows of
        ranks 0, 1, ... one after the other.

    Attributes
    ----------
    bytes_received : int
        What collectives brought this rank in all calls so far. A call brings, with N rows in all, k
        negatives and W ranks, (W - 1) (127 * 4 * dim + 16 N + 112) bytes and 16 N k more, and,
        without replacement, (W - 1) 16 N for each further negative; where rows are split, also the
        queries and exclusions of the other ranks. That is O(N), whatever the catalogue.

    Raises
    ------
    InvalidInputError
        On all ranks, if the ranks differ in seed, call, alpha, beta, rows or catalogue, or if
        lines are missing. A rank that dies or raises before it has called makes the others fail
        when the group's timeout is over.

    Notes
    -----
    ``candidates="query"`` and callables are not supported. At alpha = 0 no score is looked at: each
    rank draws its rows by itself, so that with ``split=True`` samplers should be spawned by rank.
    """

    queries: Any
    items: Any
    group: Any = None
    split: bool = False
    bytes_received: int = field(default=0, init=False)

    backend = "torch"

    def __call__(self, item_ids: Tensor) -> Tensor:
        """Return the scores of `item_ids` for all rows, summed over ranks; rows must be shared."""
        if self.split:
            raise InvalidInputError("probabilities over shards need the same rows on all ranks")
        exchange = Exchange(self.process_group)
        items = self.local_items
        bounds = _bounds(exchange, items)
        queries = self.queries.reshape(-1, self.queries.shape[-1]).float()
        first, last = bounds[exchange.rank], bounds[exchange.rank + 1]
        scores = queries.new_zeros((len(queries), len(item_ids)))
        own = (item_ids >= first) & (item_ids < last)
        scores[:, own] = queries @ items[item_ids[own] - first].float().T
        return exchange.sum(scores)

    @property
    def local_items(self) -> Tensor:
        """The lines of this rank."""
        items: Tensor = self.items.to_local() if hasattr(self.items, "to_local") else self.items
        return items.detach()

    @property
    def process_group(self) -> Any:
        """The ranks; None is the default group."""
        if self.group is None and hasattr(self.items, "device_mesh"):
            return self.items.device_mesh.get_group()
        return self.group


@dataclass(frozen=True)
class Shard:
    """The blocks of columns that a rank owns.

    Attributes
    ----------
    first : int
        Their first column, a multiple of 128, or the number of columns where there are none.
    table : Table
        The embeddings of their columns.
    """

    first: int
    table: Table

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.table.items)

    def excluded(self, excluded: Excluded) -> Excluded:
        """Return what is excluded of these columns."""
        inside = (excluded.places >= self.first) & (excluded.places < self.first + self.width)
        rows, places = excluded.rows[inside], excluded.places[inside] - self.first
        return Excluded.of_pairs(rows, places, len(excluded.offsets) - 1, max(self.width, 1))


def agree(
    exchange: Exchange,
    rows: Rows,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    score: ShardedDotProduct,
    alpha: float,
    items: range,
    num_candidates: int,
) -> None:
    """Raise on all ranks if they are not about to make the same draws."""
    told = {
        "seed": stream.key & (2**63 - 1),
        "number of the call": stream.call,
        "num_negatives": num_negatives,
        "replacement": int(replacement),
        "first item id": items.start,
        "end of the item ids": items.stop,
        "number of candidates": num_candidates,
        "split": int(score.split),
        "dim": int(score.queries.shape[-1]),
        "alpha (as millionths)": round(alpha * 1e6),
    }
    if not score.split:
        mix = 0x9E3779B97F4A7C1 * (1 + torch.arange(len(rows), device=rows.numbers.device))
        told["number of rows"] = len(rows)
        told["rows"] = int((rows.numbers * mix).sum())
        told["exclusions of the rows"] = int((rows.excluded.places + 1).sum())
    own = torch.tensor(list(told.values()), dtype=torch.int64, device=rows.numbers.device)
    everyone = exchange.gather(own)
    differing = (everyone != everyone[:1]).any(0).nonzero()
    if len(differing):
        place = int(differing[0, 0])
        values = ", ".join(f"rank {r}: {int(v)}" for r, v in enumerate(everyone[:, place]))
        raise InvalidInputError(
            f"ranks differ in their {list(told)[place]} ({values}): every rank needs a sampler of "
            "the same seed and configuration, called equally often"
        )


def gather_rows(exchange: Exchange, rows: Rows, queries: Tensor) -> tuple[Rows, Tensor, slice]:
    """Put the rows of all ranks one after the other; return them, their queries, and which are own.

    Rows are numbered as if one device had been given all targets.
    """
    device = rows.numbers.device
    sizes = exchange.gather(torch.tensor([math.prod(rows.shape), len(rows)], device=device))
    before = sizes[: exchange.rank].sum(0)
    numbers = torch.cat(exchange.gather_uneven(rows.numbers + before[0]))
    counts = torch.cat(exchange.gather_uneven(rows.excluded.counts))
    places = torch.cat(exchange.gather_uneven(rows.excluded.places))
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    excluded = Excluded(offsets, places, rows.excluded.width)
    everyone = torch.cat(exchange.gather_uneven(queries))
    own = slice(int(before[1]), int(before[1]) + len(rows))
    return Rows((int(sizes[:, 0].sum()),), numbers, excluded), everyone, own


def shard_of(
    exchange: Exchange, items: Tensor, catalogue: range, candidates: Tensor | None
) -> Shard:
    """Move the blocks that are cut by a border between ranks to where they begin.

    Parameters
    ----------
    exchange : Exchange
    items : Tensor
        This rank's lines of the table.
    catalogue : range
        The item ids.
    candidates : int64 Tensor, shape (count,), or None
        The pre-selected positions; the columns are these, or else all positions.
    """
    bounds = _bounds(exchange, items)
    if bounds[-1] < catalogue.stop:
        raise InvalidInputError(
            f"the shards hold {bounds[-1]} item embeddings, not the ids of {catalogue}: line i of "
            "the whole table is the embedding of item id i"
        )
    clipped = torch.tensor(bounds).clamp(catalogue.start, catalogue.stop) - catalogue.start
    width = len(catalogue)
    if candidates is not None:
        clipped, width = torch.searchsorted(candidates.cpu(), clipped), len(candidates)
    columns: list[int] = clipped.tolist()
    first, last = columns[exchange.rank], columns[exchange.rank + 1]
    positions = torch.arange(first, last) if candidates is None else candidates[first:last].cpu()
    lines = items[(positions + catalogue.start - bounds[exchange.rank]).to(items.device)].float()
    owned = min(-(-first // BLOCK) * BLOCK, width), min(-(-last // BLOCK) * BLOCK, width)
    heads = lines.new_zeros((BLOCK - 1, lines.shape[1]))
    heads[: min(owned[0], last) - first] = lines[: owned[0] - first]
    needed, parts = owned[1] - max(last, owned[0]), [lines[owned[0] - first :]]
    for rank, head in enumerate(exchange.gather(heads)):
        begin, end = columns[rank], columns[rank + 1]
        if rank > exchange.rank and needed > 0:
            length = min(min(-(-begin // BLOCK) * BLOCK, end) - begin, needed)
            parts.append(head[:length])
            needed -= length
    table = torch.cat(parts)
    norms = torch.linalg.vector_norm(table, dim=1)
    return Shard(owned[0], Table(table, torch.cat([norms, norms.new_zeros(1)]).amax()))


def draw(
    exchange: Exchange,
    rows: Rows,
    excluded: Excluded,
    queries: Tensor,
    shard: Shard,
    alpha: float,
    stream: Stream,
    num_negatives: int,
    replacement: bool,
    num_columns: int,
    tile: int,
) -> tuple[Tensor, Tensor]:
    """Return columns and log-probabilities, both of shape (rows, num_negatives), on all ranks."""
    rows.check_enough(excluded, num_negatives, replacement, num_columns)
    exponents = SharedScores(queries, shard.table).scaled(alpha / math.log(2))
    hidden = shard.excluded(excluded)
    masses = queries.new_empty((len(rows), 0), dtype=torch.float64)
    if shard.width:
        masses = block_masses(exponents, hidden, tile)
    draws = rows.numbers[:, None] * num_negatives
    draws = draws + torch.arange(num_negatives, device=draws.device)
    words = stream.words(NEGATIVES, draws)
    columns = torch.zeros_like(draws)
    log_weights = torch.zeros(draws.shape, dtype=torch.float64, device=draws.device)
    picked, log_total = None, torch.zeros(1)
    for j in range(num_negatives):
        if picked is None or not replacement:
            picked = _Ranks.of(exchange, masses)
            picked.check(rows, j)
            log_total = picked.log_total if j == 0 else log_total
        mine, rest = picked.own(exchange.rank, words[0][:, j])
        if len(mine):
            sums = torch.exp2(masses[mine] - picked.top[mine, None]).cumsum(1)
            below = torch.nextafter(sums[:, -1], torch.zeros_like(sums[:, -1]))
            block = (sums <= torch.minimum(rest, below)[:, None]).sum(1)
            chosen = replace(exponents, queries=exponents.queries[mine])
            inside = exponents_of(block, chosen, _of_rows(hidden, mine))
            place = pick(torch.exp2(inside - inside.amax(1, keepdim=True)), words[1][mine, j])
            row = torch.arange(len(mine), device=mine.device)
            columns[mine, j] = shard.first + block * BLOCK + place
            log_weights[mine, j] = inside[row, place]
            if not replacement:
                inside[row, place] = -torch.inf
                masses[mine, block] = log2_sum_exp2(inside)
        if not replacement and shard.width:
            drawn = torch.cat([hidden.places, columns[mine, j] - shard.first])
            of_rows = torch.cat([hidden.rows, mine])
            hidden = Excluded.of_pairs(of_rows, drawn, len(rows), shard.width)
    columns, log_weights = exchange.sum(columns), exchange.sum(log_weights)
    log_q = (log_weights - log_total[:, None]) * math.log(2)
    return columns, log_q.clamp(max=0.0)


@dataclass(frozen=True)
class _Ranks:
    """The masses of all ranks, the same numbers on each: sum * 2**highest, rows last.

    Attributes
    ----------
    highest, sums : float64, shape (W, rows)
    top : float64, shape (rows,)
        The highest of all.
    """

    highest: Tensor
    sums: Tensor
    top: Tensor

    @classmethod
    def of(cls, exchange: Exchange, masses: Tensor) -> _Ranks:
        """Exchange the masses of the blocks of each rank."""
        none = masses.new_full((len(masses), 1), -torch.inf)
        highest = torch.cat([masses, none], dim=1).amax(1)
        shift = highest.masked_fill(highest == -torch.inf, 0.0)
        sums = torch.exp2(masses - shift[:, None]).sum(1)
        everyone = exchange.gather(torch.stack([highest, sums]))
        return cls(everyone[:, 0], everyone[:, 1], everyone[:, 0].amax(0))

    @property
    def running(self) -> Tensor:
        """Sums over ranks 0, ..., r, in units of 2**top."""
        return (self.sums * torch.exp2(self.highest - self.top)).cumsum(0)

    @property
    def log_total(self) -> Tensor:
        """Log2 of the sum over all ranks."""
        return self.top + self.running[-1].log2()

    def own(self, rank: int, words: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows whose draw falls on a rank, and how far into its mass."""
        running = self.running
        threshold = (words.double() + 0.5) * 2.0**-32 * running[-1]
        mine = ((running <= threshold).sum(0) == rank).nonzero()[:, 0]
        before = running[rank - 1] if rank else torch.zeros_like(threshold)
        return mine, (threshold - before)[mine]

    def check(self, rows: Rows, drawn: int) -> None:
        """Refuse rows with a bad score or nothing left to draw: alike on all ranks."""
        invalid = ~(self.top < torch.inf)
        if bool(invalid.any()):
            raise validation.invalid_score(rows.number_of_first(invalid)[1], rows.shape)
        empty = self.top == -torch.inf
        if bool(empty.any()):
            raise validation.no_finite_score(rows.number_of_first(empty)[1], rows.shape, drawn)


def _of_rows(excluded: Excluded, rows: Tensor) -> Excluded:
    """Return what some rows exclude, in their order, which is ascending."""
    wanted = torch.zeros(len(excluded.offsets) - 1, dtype=torch.bool, device=rows.device)
    wanted[rows] = True
    kept = wanted[excluded.rows]
    counts = excluded.counts[rows]
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return Excluded(offsets, excluded.places[kept], excluded.width)


def _bounds(exchange: Exchange, items: Tensor) -> list[int]:
    """Return where the slices of ranks 0, 1, ... begin, and where the last ends."""
    lengths = exchange.gather(torch.tensor([len(items)], device=items.device))[:, 0]
    return [0, *lengths.cumsum(0).tolist()]
