"""The processes of a run, the signals they receive, and their threads."""

from __future__ import annotations
