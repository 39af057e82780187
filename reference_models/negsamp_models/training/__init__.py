"""Training a SASRec: the loop, its steps, and what a checkpoint of it holds."""

from __future__ import annotations

from negsamp_models.training.trainer import Trainer, TrainingDivergedError

__all__ = ["Trainer", "TrainingDivergedError"]
