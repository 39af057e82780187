"""Check a wheel in an environment with only NumPy besides it; `wheel_alone.py` runs this."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path

import numpy as np

import negsamp
from negsamp import BackendNotInstalledError, DotProduct, GenNi, Popularity, Sampler, Uniform

TARGETS = np.array([[1, 2], [3, 4]])
QUERIES = np.array([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [0.0, 0.0]]])
EMBEDDINGS = np.arange(12.0).reshape(6, 2) / 12
ALLOWED_PACKAGES = {"negsamp", "numpy", "pip", "setuptools"}


def main() -> None:
    """Run all checks; raise SystemExit with the problem if one fails."""
    installed = {distribution.name.lower() for distribution in distributions()}
    _refuse("other packages are installed", installed - ALLOWED_PACKAGES)
    if not Path(negsamp.__file__).is_relative_to(sys.prefix):
        raise SystemExit(f"negsamp was imported from {negsamp.__file__}, not from the wheel")
    for sampler in (
        Uniform(items=range(1, 6), num_negatives=3),
        Popularity(counts=[0, 5, 4, 3, 2, 1], items=range(1, 6), num_negatives=3),
        GenNi(items=range(1, 6), num_negatives=3, alpha=2.0),
    ):
        check_draws(sampler)
    for backend in ("numba", "tensorflow", "torch"):
        check_refusal(backend)
    frameworks = {"torch", "tensorflow", "numba", "scipy", "negsamp_models"}
    frameworks |= {"negsamp_numba", "negsamp_tensorflow", "negsamp_torch"}
    _refuse("drawing with NumPy loaded", frameworks & set(sys.modules))


def check_draws(sampler: Sampler) -> None:
    """Compare each log_q with the exact law of the item that was drawn."""
    score = DotProduct(QUERIES, EMBEDDINGS)
    law = sampler.probabilities(TARGETS, score=score)
    negatives = sampler.sample(TARGETS, score=score)
    expected = np.take_along_axis(law, negatives.item_ids - sampler.items.start, axis=-1)
    if not np.allclose(np.exp(negatives.log_q), expected, rtol=1e-5):
        raise SystemExit(f"{sampler} drew {negatives}, whose law is {expected}")


def check_refusal(backend: str) -> None:
    """Check that a backend without its framework is refused with the install command."""
    command = f'pip install "negsamp[{backend}]"'
    try:
        Uniform(items=9, backend=backend).sample([3])
    except BackendNotInstalledError as error:
        if command not in str(error):
            raise SystemExit(f"{backend!r} is refused without {command}: {error}") from None
    else:
        raise SystemExit(f"backend {backend!r} drew without its framework")


def _refuse(problem: str, names: Iterable[str]) -> None:
    if found := sorted(names):
        raise SystemExit(f"{problem}: {', '.join(found)}")


if __name__ == "__main__":
    main()
