"""The reference backend: NumPy, written to be read. Every other backend is held to its draws."""

from negsamp_numpy.backend import NumpyBackend

__all__ = ["NumpyBackend"]
