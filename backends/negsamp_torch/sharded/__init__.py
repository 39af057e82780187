"""GenNi over a catalogue that is cut into slices, one on each rank of a process group.

The draws are those of one device. Blocks of 128 columns are those of the whole catalogue, and each
rank scores only its own columns. For each row the ranks exchange the masses of three parts: the
columns in the block that the rank's start cuts, its whole blocks, and the columns in the block that
its end cuts. From these every rank computes which part the first random word picks. If it is one
of whole blocks, its rank draws. In a cut block the second word picks the rank, again the same
everywhere, and that rank finds the item.
"""

from negsamp_torch.sharded.dot_product import ShardedDotProduct
from negsamp_torch.sharded.scorer import ShardedScorer

__all__ = ["ShardedDotProduct", "ShardedScorer"]
