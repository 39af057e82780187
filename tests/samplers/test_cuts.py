"""Columns that are cut anywhere over ranks, in threads of one process: the draws of one device."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from negsamp.stream import Stream

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
if not torch.distributed.is_available():
    pytest.skip("PyTorch without torch.distributed", allow_module_level=True)

from negsamp_torch import by_score  # noqa: E402
from negsamp_torch.candidates import one_for_each_row  # noqa: E402
from negsamp_torch.rows import Excluded, Rows  # noqa: E402
from negsamp_torch.scores import OwnScores, SharedScores, Table  # noqa: E402
from negsamp_torch.sharded.columns import Columns  # noqa: E402
from negsamp_torch.sharded.draws import draw  # noqa: E402
from negsamp_torch.sharded.exchange import Exchange  # noqa: E402
from negsamp_torch.sharded.slices import TableSlice  # noqa: E402

NUM_ROWS, DIM, MOST = 40, 4, 700
How = tuple[float, Stream, int, bool]


class Meeting:
    """Where threads lay down tensors for each other."""

    def __init__(self, size: int) -> None:
        self.tables: list[Any] = [None] * size
        self.barrier = Barrier(size, timeout=60)


class Threads(Exchange):
    """Collectives between threads in the place of processes."""

    def __init__(self, meeting: Meeting, rank: int) -> None:
        super().__init__(None, torch.device("cpu"))
        self._meeting, self._rank = meeting, rank

    @property
    def rank(self) -> int:
        return self._rank

    @property
    def size(self) -> int:
        return len(self._meeting.tables)

    def gather(self, own: Any) -> Any:
        self._meeting.tables[self._rank] = own.clone()
        self._meeting.barrier.wait()
        gathered = torch.stack(self._meeting.tables)
        self._meeting.barrier.wait()
        return gathered

    def sum(self, own: Any) -> Any:
        return self.gather(own).sum(0)


def drawn_by_ranks(
    cuts: list[int], rows: Any, queries: Any, table: Any, candidates: Any, how: How
) -> list[tuple[Any, Any]]:
    """Let each rank draw with the lines between two cuts."""
    meeting = Meeting(len(cuts) - 1)
    excluded = rows.excluded if candidates is None else rows.excluded.among(candidates)
    items = range(cuts[-1])

    def act(rank: int) -> tuple[Any, Any]:
        columns = Columns.of(torch.tensor(cuts), candidates, rank)
        held = TableSlice.of(queries, table[cuts[rank] : cuts[rank + 1]], cuts[rank], items, None)
        scores = held.scores(0, rows, columns, candidates)
        return draw(Threads(meeting, rank), rows, excluded, scores, columns, *how, 256)

    with ThreadPoolExecutor(len(cuts) - 1) as threads:
        return list(threads.map(act, range(len(cuts) - 1)))


@settings(max_examples=60)
@given(
    width=st.integers(2, MOST),
    inner=st.lists(st.integers(0, MOST) | st.integers(0, 5).map(lambda n: 128 * n), max_size=4),
    own=st.booleans(),
    replacement=st.booleans(),
    alpha=st.sampled_from([0.5, 40.0]),
    seed=st.integers(0, 5),
)
def test_cuts_change_no_draw(
    width: int, inner: list[int], own: bool, replacement: bool, alpha: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    queries = torch.randn((NUM_ROWS, DIM), generator=generator)
    table = torch.randn((width, DIM), generator=generator)
    numbers = torch.arange(NUM_ROWS)
    pairs = numbers.repeat_interleave(3), torch.randint(width, (3 * NUM_ROWS,), generator=generator)
    excluded = Excluded.of_pairs(*pairs, NUM_ROWS, width)
    count = width - width // 3 if own else width
    num_negatives = 3 if count >= 6 else 1
    if count <= 3:
        excluded = Excluded.of_pairs(numbers[:0], numbers[:0], NUM_ROWS, width)
    rows, stream = Rows((NUM_ROWS,), numbers, excluded), Stream(seed, 0)
    candidates = one_for_each_row(stream, width, count, numbers) if own else None
    how = alpha, stream, num_negatives, replacement
    whole: Any = SharedScores(queries, Table.of(table))
    if candidates is not None:
        whole, excluded = (
            OwnScores(queries, Table.of(table), candidates),
            excluded.among(candidates),
        )
    columns, log_q = by_score.draw(rows, excluded, whole, *how, 256)
    cuts = [0, *sorted(min(cut, width) for cut in inner), width]
    for found, logs in drawn_by_ranks(cuts, rows, queries, table, candidates, how):
        assert int((found != columns).sum()) <= 1  # that is rounding
        near = found == columns
        torch.testing.assert_close(logs[near], log_q[near], atol=1e-4, rtol=1e-5)
