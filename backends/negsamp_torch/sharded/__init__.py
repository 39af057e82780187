"""GenNi over a catalogue that is cut into shards, each on a rank of a process group.

The draws are those of one device. Blocks of 128 columns are those of the whole catalogue: the rank
on which a block begins owns it, and is sent the lines of it that lie on later ranks; or their
scores, where there are no lines, or where each row has candidates of its own. Each rank goes over
its own blocks; what the ranks exchange for each row is one mass, as its logarithm. From these all
know which rank owns the block that the first word picks, and that rank draws.
"""

from negsamp_torch.sharded.score import Sharded, ShardedDotProduct, ShardedScorer

__all__ = ["Sharded", "ShardedDotProduct", "ShardedScorer"]
