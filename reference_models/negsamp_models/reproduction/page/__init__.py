"""The page that compares our results with the paper's: tables, claims and figures."""

from __future__ import annotations
