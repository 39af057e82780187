"""The blocks of draws in proportion to exp(alpha * score), and how many rows share a tile.

A draw picks a block of columns, and then a column of it. The scores of the block are computed again
for that, unless the tile of scores that the masses of the blocks were computed from held all
columns of the row.
"""

from __future__ import annotations

__all__ = ["BLOCK", "rows_at_once"]

BLOCK = 128
"""Columns per block of the two-level draw; the draws depend on it, so all backends share it."""

_GAIN = 5
"""Table lines computed again that cost as much as one read to fill tiles of few rows."""


def rows_at_once(most: int, tile: int, width: int, num_negatives: int, values: int = 1) -> int:
    """Return how many rows to process at once: as many as a tile holds all scores of, or `most`.

    Few rows hold their scores, and no block is computed again for a draw; but the whole item table
    is read for them. That is faster as long as the lines read per row are at most a fifth of those
    computed again, as measured on CPUs for d = 16 to 256. The rows then have no more draws than a
    tile has scores, which bounds memory for any number of negatives.

    Parameters
    ----------
    most : int
        Upper bound, returned where holding all scores is slower or impossible.
    tile : int
        Size of a tile, in values.
    width : int
        Number of columns.
    num_negatives : int
        Draws per row that would compute a block again.
    values : int
        Values of a tile that a score takes.
    """
    held = tile // values // (-(-width // BLOCK) * BLOCK)
    if _GAIN * width > num_negatives * BLOCK * held:
        return most
    return min(most, held, max(tile // num_negatives, 1))
