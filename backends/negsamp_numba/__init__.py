"""The Numba backend: CPU speed for NumPy arrays and PyTorch's CPU tensors."""

from negsamp_numba.backend import NumbaBackend

__all__ = ["NumbaBackend"]
