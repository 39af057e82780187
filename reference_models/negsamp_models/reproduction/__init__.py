"""The paper's tables and figures: the runs that they need, making them, and the results page."""

from __future__ import annotations
