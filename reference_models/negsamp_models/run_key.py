"""What runs are told apart by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from negsamp_models.s3rec.settings import PretrainingSettings

__all__ = ["decisive", "key_of", "needed"]


def key_of(
    dataset: str,
    sampler: Mapping[str, Any],
    settings: Mapping[str, Any],
    pretraining: Mapping[str, Any] | None = None,
) -> str:
    """Return what runs are told apart by: all but the device; pre-training, if there was one."""
    settings = {name: value for name, value in settings.items() if name != "device"}
    told = [dataset, _as_floats({"num_negatives": 1, **needed(sampler)}), _as_floats(settings)]
    if pretraining is not None:
        told.append(_as_floats(decisive(pretraining)))
    return json.dumps(told, sort_keys=True)


def needed(sampler: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sampler's configuration without what changes no draw.

    With beta = 1 nothing is pre-selected, and it does not matter for whom it would be.
    """
    idle = {"candidates"} if sampler.get("beta") == 1 else set()
    return {name: value for name, value in sampler.items() if name not in idle}


def decisive(pretraining: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a pre-training's provenance, or a result's, what it would be made again with."""
    names = ["sampler", *PretrainingSettings().decisive]
    return {name: pretraining.get(name) for name in names}


def _as_floats(config: Mapping[str, Any]) -> dict[str, Any]:
    """Write every number as a float: 1 and 1.0 are the same configuration."""
    return {
        name: _as_floats(value)
        if isinstance(value, Mapping)
        else float(value)
        if isinstance(value, int) and not isinstance(value, bool)
        else value
        for name, value in config.items()
    }
