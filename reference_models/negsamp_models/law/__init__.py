"""The distribution of one user's negatives, over a sequence and over training."""

from __future__ import annotations
