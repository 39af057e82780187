"""Checkpoints: files that survive a kill, when to save them, and what is in all of them."""

from __future__ import annotations

from negsamp_models.checkpoints.checkpoint import Checkpoint, CheckpointError, CheckpointFolder
from negsamp_models.checkpoints.saver import Saver

__all__ = ["Checkpoint", "CheckpointError", "CheckpointFolder", "Saver"]
