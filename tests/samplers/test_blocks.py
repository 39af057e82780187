"""How many rows are processed at once."""

from __future__ import annotations

import pytest

from negsamp.blocks import rows_at_once


@pytest.mark.parametrize(
    ("width", "num_negatives", "values", "rows"),
    [
        (1000, 0, 1, 512),  # no draw would compute a block again
        (12_101, 1, 1, 512),  # a fifth of what is computed again is less than is read
        (12_101, 16, 1, 43),
        (12_101, 256, 16, 2),
        (1, 1, 1, 512),
        (1000, 5000, 1, 104),  # as many draws as a tile has scores
        (1000, 1 << 20, 1, 1),
        (1 << 20, 1 << 20, 1, 512),  # no tile holds one row
    ],
)
def test_rows_whose_scores_a_tile_holds(
    width: int, num_negatives: int, values: int, rows: int
) -> None:
    assert rows_at_once(512, 1 << 19, width, num_negatives, values) == rows
