"""What a run is told: settings, on which its results depend, and options, on which they do not."""

from __future__ import annotations

from negsamp_models.settings.devices import device_named
from negsamp_models.settings.errors import TrainingSettingsError
from negsamp_models.settings.options import RunOptions
from negsamp_models.settings.pretraining import (
    OBJECTIVES,
    ObjectiveWeights,
    PretrainingSettings,
    published_epochs,
)
from negsamp_models.settings.training import (
    LOSSES,
    MODELS,
    SYNTHETIC_SETTINGS,
    TrainingSettings,
    changed_settings,
    default_settings,
)

__all__ = [
    "LOSSES",
    "MODELS",
    "OBJECTIVES",
    "SYNTHETIC_SETTINGS",
    "ObjectiveWeights",
    "PretrainingSettings",
    "RunOptions",
    "TrainingSettings",
    "TrainingSettingsError",
    "changed_settings",
    "default_settings",
    "device_named",
    "published_epochs",
]
