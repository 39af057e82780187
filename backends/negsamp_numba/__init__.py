"""The Numba backend: compiled kernels for NumPy arrays and PyTorch tensors on the CPU."""

from negsamp_numba.backend import NumbaBackend

__all__ = ["NumbaBackend"]
