"""Runs in folders: trained, pre-trained, compared, resumed, and read when finished."""

from __future__ import annotations
