"""The report: tables, bars and pictures, from the result files alone."""

from __future__ import annotations
