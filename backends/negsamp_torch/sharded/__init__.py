"""GenNi over a catalogue that is cut into slices, one on each rank of a process group.

The draws are those of one device. Blocks of 128 columns are those of the whole catalogue, and each
rank works on its own columns. For each row the ranks exchange the masses of three parts: the block
cut by the border before the rank, the whole blocks, and the block cut by the border after it. From
these every rank knows what the first random word picks. Among whole blocks, the rank that holds
them draws. In a cut block the second word picks the rank, again the same everywhere, and that rank
finds the item.
"""

from negsamp_torch.sharded.dot_product import ShardedDotProduct
from negsamp_torch.sharded.scorer import ShardedScorer

__all__ = ["ShardedDotProduct", "ShardedScorer"]
