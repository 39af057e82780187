"""The TensorFlow backend: the same kernels in eager mode, in ``tf.function`` and under XLA."""

from negsamp_tensorflow.backend import TensorflowBackend
from negsamp_tensorflow.graph_sampler import GraphSampler

__all__ = ["GraphSampler", "TensorflowBackend"]
