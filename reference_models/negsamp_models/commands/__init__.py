"""The command line: one file for each command, and the options that they share."""

from __future__ import annotations
