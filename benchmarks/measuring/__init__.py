"""Measuring: worker processes, times and memory."""

from __future__ import annotations
