"""Files: written completely or not at all, claimed by one command, with their origin."""

from __future__ import annotations
