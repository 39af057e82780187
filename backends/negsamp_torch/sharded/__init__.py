"""GenNi over a catalogue that is cut into slices, each on a rank of a process group.

The draws are those of one device. Blocks of 128 columns are those of the whole catalogue; each rank
goes over its own columns, and what the ranks exchange for each row is the mass of three parts: of
the block that a border in front of the rank cuts, of the whole blocks, and of the block that the
border behind it cuts. From these all know what the first word picks. Within whole blocks that rank
draws; of a block that is cut, the second word picks the rank, again on all alike, and that rank
finds the item.
"""

from negsamp_torch.sharded.dot_product import ShardedDotProduct
from negsamp_torch.sharded.scorer import ShardedScorer

__all__ = ["ShardedDotProduct", "ShardedScorer"]
