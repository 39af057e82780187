"""The reference backend, in plain NumPy: written to be read. All others must make its draws."""

from negsamp_numpy.backend import NumpyBackend

__all__ = ["NumpyBackend"]
