"""Checkpoints: files that survive a kill, when to save them, and what is in all of them."""

from __future__ import annotations
