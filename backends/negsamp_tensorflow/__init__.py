"""The TensorFlow backend: eager, inside ``tf.function`` and under XLA, from the same kernels."""

from negsamp_tensorflow.backend import TensorflowBackend

__all__ = ["TensorflowBackend"]
