"""A policy for tests of the benchmarks that measures without pauses."""

from __future__ import annotations

import pytest

from benchmarks.measuring.timing import Policy


@pytest.fixture
def policy() -> Policy:
    """No pauses, and one call per repeat."""
    return Policy(shortest_repeat=0.0, pause=0.0, settle=0.0, budget=2.0)
