"""Keys that identify runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from negsamp_models.settings import PretrainingSettings

__all__ = ["decisive", "key_of", "needed"]


def key_of(
    dataset: str,
    sampler: Mapping[str, Any],
    settings: Mapping[str, Any],
    pretraining: Mapping[str, Any] | None = None,
) -> str:
    """Return the key of a run: all of its configuration but the device, with any pre-training."""
    settings = {name: value for name, value in settings.items() if name != "device"}
    parts = [dataset, _as_floats({"num_negatives": 1, **needed(sampler)}), _as_floats(settings)]
    if pretraining is not None:
        parts.append(_as_floats(decisive(pretraining)))
    return json.dumps(parts, sort_keys=True)


def needed(sampler: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sampler's configuration without the keys that change no draw.

    With beta = 1 no candidates are pre-selected, so `candidates` has no effect.
    """
    unused = {"candidates"} if sampler.get("beta") == 1 else set()
    return {name: value for name, value in sampler.items() if name not in unused}


def decisive(pretraining: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a pre-training's provenance that determines its weights."""
    names = ["sampler", *PretrainingSettings().decisive]
    return {name: pretraining.get(name) for name in names}


def _as_floats(config: Mapping[str, Any]) -> dict[str, Any]:
    """Convert every number to a float: 1 and 1.0 are the same configuration."""
    return {
        name: _as_floats(value)
        if isinstance(value, Mapping)
        else float(value)
        if isinstance(value, int) and not isinstance(value, bool)
        else value
        for name, value in config.items()
    }
