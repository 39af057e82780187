"""How tests of the benchmarks measure: at once."""

from __future__ import annotations

import pytest

from benchmarks.timing import Policy


@pytest.fixture
def policy() -> Policy:
    """Nothing is waited for, and a repeat is one call."""
    return Policy(shortest_repeat=0.0, pause=0.0, settle=0.0, budget=2.0)
