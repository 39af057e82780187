"""The TensorFlow backend: eager, inside ``tf.function`` and under XLA, from the same kernels."""

from negsamp_tensorflow.backend import TensorflowBackend
from negsamp_tensorflow.graph_sampler import GraphSampler

__all__ = ["GraphSampler", "TensorflowBackend"]
