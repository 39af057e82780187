"""The PyTorch backend: draws on the device of the tensors that it is given."""

from negsamp_torch.backend import TorchBackend
from negsamp_torch.graphs import Capturable, capturable
from negsamp_torch.operators import Compiled, compiled
from negsamp_torch.sharded import ShardedDotProduct, ShardedScorer

__all__ = [
    "Capturable",
    "Compiled",
    "ShardedDotProduct",
    "ShardedScorer",
    "TorchBackend",
    "capturable",
    "compiled",
]
