"""For people to look at: progress, tables, curves and logs."""

from __future__ import annotations
